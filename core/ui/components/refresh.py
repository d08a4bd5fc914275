"""Pages that follow a run: drawn again every few seconds while it is in progress, once otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from core.base.errors import BrigadeError
from core.base.records import RunStatus
from core.base.views import RunView
from core.ui.components.problem import show_problem
from core.ui.sentences import LIVE

if TYPE_CHECKING:
    from core.ui.frame import Desk

Draw = Callable[["Desk", RunView], None]


def follow(desk: Desk, run: RunView, draw: Draw) -> None:
    """Draw what a page shows of a run, and again while that can change."""
    if run.status in LIVE or run.status == RunStatus.PAUSED:
        _ticking(desk, run, draw)
    else:
        draw(desk, run)


@st.fragment(run_every=3.0)
def _ticking(desk: Desk, run: RunView, draw: Draw) -> None:
    """One tick; a change of status redraws the whole page, whose picker names it."""
    try:
        now = desk.service.run(run.id)
        draw(desk, now)
    except BrigadeError as exc:
        show_problem("problem.snapshot", exc)
        return
    if now.status != run.status:
        st.rerun(scope="app")
