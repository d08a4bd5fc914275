"""What the buttons of a run do: callbacks that reach the service once, and only for those who may."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import streamlit as st

from core.base.errors import BrigadeError
from core.base.records import RunStatus
from core.base.views import RunView
from core.ui.components.problem import later
from core.ui.language import t
from core.ui.sentences import RESUMABLE

if TYPE_CHECKING:
    from core.ui.frame import Desk


def send(desk: Desk, run: RunView, action: str) -> None:
    """Send a command to the run."""
    if not desk.person.operates:  # a disabled button is only the browser's word
        return
    try:
        desk.service.control(run.id, action, who=desk.person.name)
    except BrigadeError as exc:
        later("problem.control", exc)
    else:
        st.toast(t(f"sent.{action}"), icon=":material/send:")


def resume(desk: Desk, run: RunView, budget: Decimal | None = None) -> None:
    """A paused run of a live engine is told to go on; any other is taken up again from the ledger.

    The second click of a double click finds a run that is in progress, and does nothing.
    """
    try:
        now = desk.service.run(run.id)
        if now.status == RunStatus.PAUSED and now.owner_alive:
            send(desk, now, "resume")
        elif now.status in RESUMABLE and desk.person.operates:
            desk.service.resume(run.id, who=desk.person.name, changes={} if budget is None else {"budget": budget})
    except BrigadeError as exc:
        later("problem.control", exc)
