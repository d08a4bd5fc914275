"""A limit as people set it: a number, or automatic, within a latency target where they have one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.base.views import RunView
from core.pipeline.sizing import AUTO, STARTS, Wanted
from core.ui.language import t


def pick_limit(resource: str, now: Wanted, most: int) -> Wanted:
    """A number or `auto`, for a run to come; the number's slider goes away where it says nothing."""
    if st.toggle(t(f"limit_auto.{resource}"), now == AUTO, key=f"{resource}_auto", help=t("limits.auto_help")):
        return AUTO
    number = STARTS[resource] if now == AUTO else int(now)
    return int(
        st.slider(
            t(f"launch.{resource}_limit"),
            1,
            max(most, number),
            number,
            key=f"{resource}_limit",
            help=t(f"launch.{resource}_help"),
        )
    )


def pick_slo(key: str, now: float | None = None) -> float | None:
    """The 95th percentile of a call that auto must keep, in seconds; None for none."""
    return st.number_input(
        t("limits.slo"),
        min_value=0.1,
        max_value=3600.0,
        value=now,
        step=1.0,
        format="%.1f",
        key=key,
        placeholder=t("limits.slo_none"),
        help=t("limits.slo_help"),
    )


def kept_limit(run: RunView, resource: str) -> Mapping[str, Any]:
    """What a run keeps of the limit that was wanted for a resource."""
    kept = run.settings.get("limits", {}).get(resource, {})
    return kept if isinstance(kept, Mapping) else {}


def limit_mode(run: RunView, resource: str) -> str:
    """`auto` where an algorithm finds the limit of a run's resource, else `fixed`."""
    return str(kept_limit(run, resource).get("mode", "fixed"))
