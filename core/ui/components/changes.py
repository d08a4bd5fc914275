"""Every change of a limit: by whom, why, and what it did to throughput, latency and cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from core.base.tuning_views import ChangeEffect, Followed, Window
from core.base.views import RunView
from core.ui.components.columns import texts
from core.ui.language import t
from core.ui.numbers import DASH, count, money, rate, seconds
from core.ui.sentences import resource_name
from core.ui.tuning_words import signed

if TYPE_CHECKING:
    from core.service import Service

MOST = 100


def show_changes(service: Service, run: RunView) -> None:
    """Newest first, before and after side by side; beneath, what was expected of those made by hand."""
    told = service.effects(run.id)
    if not told:
        return
    with st.container(border=True, gap="xsmall"):
        st.subheader(t("changes.title"), anchor=False)
        st.caption(t("changes.note"))
        st.dataframe(
            [_row(effect) for effect in reversed(told[-MOST:])],
            hide_index=True,
            height="content" if len(told) < 8 else 300,
            column_config=texts("since", "change", "why", "rate_change", "gain", "p95_change", "limited", "cost_item")
            | texts("who"),
            alt=t("changes.title"),
            key="limit_changes",
        )
        for followed in _by_hand(service, run):
            st.text(_followed(followed))


def _by_hand(service: Service, run: RunView) -> list[Followed]:
    return [f for f in service.followed(run.id) if f.measured_gain is not None and f.expected_gain is not None][-3:]


def _row(told: ChangeEffect) -> dict[str, str]:
    both = (told.before, told.after) if told.before and told.after else None
    return {
        "since": seconds(told.t),
        "change": change_words(told.resource, told.endpoint, told.old, told.new),
        "rate_change": _pair(both, lambda w: f"{rate(w.calls_per_s)}/s"),
        "gain": signed(told.gain),
        "p95_change": _pair(both, lambda w: seconds(w.p95_s)),
        "limited": _pair(both, lambda w: count(w.rate_limited)),
        "cost_item": _pair(both, lambda w: money(w.cost_per_item) if w.cost_per_item is not None else DASH),
        "who": told.who,
        "why": told.reason,
    }


def change_words(resource: str, endpoint: str, old: int, new: int) -> str:
    """`Model calls gpu-1: 16 → 64`; a start has no old value."""
    where = f"{resource_name(resource)} {endpoint}".strip()
    return f"{where}: {new}" if old == new else f"{where}: {old} → {new}"


def _pair(both: tuple[Window, Window] | None, word: Callable[[Window], str]) -> str:
    return DASH if both is None else f"{word(both[0])} → {word(both[1])}"


def _followed(told: Followed) -> str:
    effect = told.effect
    change = change_words(effect.resource, effect.endpoint, effect.old, effect.new)
    return t(
        "changes.followed", change=change, expected=signed(told.expected_gain), measured=signed(told.measured_gain)
    )
