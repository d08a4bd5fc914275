"""Performance: what held a run back, quantiles per stage, all over time with its changes, one item's timeline."""

import streamlit as st

from core.base.views import RunView
from core.ui.components.changes import show_changes
from core.ui.components.endpoints import run_models, show_note
from core.ui.components.hindrance import show_hindrance
from core.ui.components.measures import show_flow, show_headline, show_latency, show_timeline
from core.ui.components.problem import show_empty
from core.ui.components.refresh import follow
from core.ui.components.runs import pick_run
from core.ui.frame import Desk, open_page
from core.ui.language import t


def draw(desk: Desk, run: RunView) -> None:
    """Everything that was measured so far."""
    stats = desk.service.stages(run.id)
    show_note(desk.service, run_models(run, stats))
    if not stats:
        show_empty("empty.measures", ":material/speed:")
        return
    show_headline(desk.service, run)
    held = st.container()
    show_latency(desk.service, run, stats)
    show_flow(desk.service, run)
    show_changes(desk.service, run)
    show_timeline(desk.service, run)
    with held:  # last, because it simulates
        show_hindrance(desk.service, run)


desk = open_page("performance")
head, picker = st.columns([3, 4], vertical_alignment="bottom")
head.title(t("nav.performance"), anchor=False)
with picker:
    run = pick_run(desk.service)
if run is None:
    show_empty("empty.runs", ":material/speed:", go="pages/run.py")
    st.stop()
follow(desk, run, draw)
