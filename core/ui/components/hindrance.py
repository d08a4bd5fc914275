"""What held a run back: one sentence with a suggestion, and the shares over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.base.tuning_views import Attribution
from core.base.views import RunView
from core.ui import charts
from core.ui.components.figures import palette, show_figure
from core.ui.language import t
from core.ui.sentences import LIVE
from core.ui.tuning_words import attribution_sentence, held_by, suggestion_sentence

if TYPE_CHECKING:
    from core.service import Service

FRESH_S = 30.0  # an attribution simulates: not at every tick
SLICES = 120


def show_hindrance(service: Service, run: RunView) -> None:
    """The sentence, and the chart where anything was measured."""
    told = _attributed(service, run.id, run.ended_at)
    with st.container(border=True, gap="xsmall"):
        st.text(attribution_sentence(told))
        if told.suggestion is not None:
            st.text(suggestion_sentence(told.suggestion))
    if not told.shares:
        return
    width = max(5.0, 5.0 * round(run.wall_s / SLICES / 5))
    names = {(s.resource, s.name): held_by(s.resource, s.name) for s in told.shares if s.share > 0}
    fig = charts.constraints(
        service.constraints(run.id, width), names, palette(), axis=t("chart.share"), time=t("chart.since_start")
    )
    show_figure("chart.constraints", fig, live=run.status in LIVE)


@st.cache_resource(ttl=FRESH_S, max_entries=50, show_spinner=False)
def _attributed(_service: Service, run_id: str, _ended_at: float | None) -> Attribution:
    return _service.attribution(run_id)
