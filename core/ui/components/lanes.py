"""The endpoints that a run uses: limit, in flight, health and pace of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.base.views import LaneSample
from core.ui.components.columns import numbers, texts
from core.ui.language import t
from core.ui.numbers import DASH, seconds

if TYPE_CHECKING:
    from core.service import Service

PACED_S = 0.5  # a shorter wait for a quota is pacing as usual


def show_lanes(service: Service, run_id: str) -> None:
    """One row for each endpoint; nothing before the first sample."""
    lanes = service.lanes(run_id)
    if not lanes:
        return
    st.caption(t("lanes.title"))
    st.dataframe(
        [_row(lane) for lane in lanes],
        hide_index=True,
        column_config=texts("endpoint", "state")
        | numbers("in_flight", "limit", "waiting", "rate_limited", width=80)
        | texts("latency", right=True, width=80),
        alt=t("lanes.title"),
        key="lanes",
    )


def _row(lane: LaneSample) -> dict[str, object]:
    return {
        "endpoint": lane.endpoint,
        "state": _state(lane),
        "in_flight": lane.in_flight,
        "limit": lane.limit,
        "waiting": lane.waiting,
        "rate_limited": lane.rate_limited,
        "latency": seconds(lane.latency_s) if lane.latency_s else DASH,
    }


def _state(lane: LaneSample) -> str:
    if lane.state == "closed" and lane.pacing_s >= PACED_S:
        return t("lanes.pacing", time=seconds(lane.pacing_s))
    return t(f"lane_state.{lane.state}")
