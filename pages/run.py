"""Run: choose what to work on and start it; or watch and steer the run in view."""

import streamlit as st

from core.base.views import RunView
from core.ui.components.day import show_day
from core.ui.components.launch import show_launch, take_order
from core.ui.components.live import show_run
from core.ui.components.picker import pick_items, pick_workload
from core.ui.components.runs import pick_run, show_recent
from core.ui.components.status import show_status
from core.ui.components.steer import show_steering, steerable
from core.ui.frame import Desk, open_page
from core.ui.language import t


def compose(desk: Desk) -> None:
    """A new run: items on the left, settings, forecast and start on the right."""
    left, right = st.columns([9, 4], gap="medium")
    with left:
        workload = pick_workload(desk.service)
        chosen = pick_items(desk.service, workload) if workload else None
    with right:
        if workload and chosen:
            show_launch(desk, take_order(desk, workload, *chosen))
            show_day(desk)
    show_recent(desk.service)


def watch(desk: Desk, run: RunView) -> None:
    """The run in view; the control panel beside it while there is something to steer."""
    show_status(desk, run)
    if not steerable(run):
        show_run(desk.service, run.id, run.status)
        return
    live, panel = st.columns([7, 3], gap="medium")
    with panel:
        show_steering(desk, run)
    with live:
        show_run(desk.service, run.id, run.status)


desk = open_page("run")
head, picker = st.columns([3, 4], vertical_alignment="bottom")
head.title(t("nav.run"), anchor=False)
with picker:
    run = pick_run(desk.service, newest=False)
if run is None:
    compose(desk)
else:
    watch(desk, run)
