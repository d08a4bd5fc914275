"""Costs: of the day, and of a run in all, by stage and model, over time and by item."""

import streamlit as st

from core.base.views import RunView
from core.ui.components.costs import show_breakdown, show_dearest, show_totals
from core.ui.components.day import show_day
from core.ui.components.endpoints import run_models, show_note
from core.ui.components.problem import show_empty
from core.ui.components.refresh import follow
from core.ui.components.runs import pick_run
from core.ui.frame import Desk, open_page
from core.ui.language import t


def draw(desk: Desk, run: RunView) -> None:
    """Everything that was spent so far."""
    stats = desk.service.stages(run.id)
    show_note(desk.service, run_models(run, stats))
    if not stats:
        show_empty("empty.measures", ":material/payments:")
        return
    show_totals(desk.service, run, stats)
    show_breakdown(desk.service, run, stats)
    show_dearest(desk.service, run)


desk = open_page("costs")
head, picker = st.columns([3, 4], vertical_alignment="bottom")
head.title(t("nav.costs"), anchor=False)
with picker:
    run = pick_run(desk.service)
show_day(desk)
if run is None:
    show_empty("empty.runs", ":material/payments:", go="pages/run.py")
    st.stop()
follow(desk, run, draw)
