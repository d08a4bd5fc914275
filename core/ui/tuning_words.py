"""Attributions, suggestions and caveats as sentences in the session's language."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core.base.tuning_views import Attribution, Suggestion
from core.base.views import Caveat
from core.ui.language import t
from core.ui.numbers import DASH, count, money, seconds, share
from core.ui.sentences import resource_name


def signed(value: float | None) -> str:
    """A change as a percentage with its sign."""
    return DASH if value is None else f"{100 * value:+.0f}%"


def held_by(resource: str, name: str) -> str:
    """What a run waited for: `The model gate`, `The quota of gpu-1`."""
    return t(f"held_by.{resource}", name=name or DASH)


def attribution_sentence(told: Attribution) -> str:
    """What held a run back and for how much of the time."""
    values = told.values
    what = held_by(str(values.get("resource", "llm")), str(values.get("name", "")))
    return t(f"held.{told.key}", what=what, share=share(float(values.get("share", 0.0))))


def suggestion_sentence(told: Suggestion) -> str:
    """What to do about it, and what that should bring."""
    values = {key: count(v) if isinstance(v, int | float) else str(v) for key, v in told.values.items()}
    if "resource" in values:
        values["resource"] = resource_name(values["resource"])
    advice = t(f"advice.{told.key}", **values)
    return f"{advice} {_gain(told)}".strip()


def _gain(told: Suggestion) -> str:
    if told.gain is None:
        return ""
    if told.between is None:
        return t("advice_gain.about", gain=signed(told.gain))
    low, high = (signed(max(0.0, value)) for value in told.between)
    return t("advice_gain.between", gain=signed(told.gain), low=low, high=high)


def caveat_sentence(told: Caveat) -> str:
    """Something to know about a figure, or what would have to change."""
    return t(f"caveat.{told.key}", **_filled(told.values))


def _filled(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: _word(key, value) for key, value in values.items()}


def _word(key: str, value: Any) -> str:
    """A figure as people read it: what it counts follows from its name."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or DASH
    if key.endswith("_s"):
        return seconds(float(value))
    if key in ("cost", "cost_usd"):
        return money(None if value is None else Decimal(str(value)))
    return count(value) if isinstance(value, int | float) else str(value)
