"""Doing things anew: one restaurant of a run, or the ones that failed. Each is a new run that names the earlier one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from core.again import Again
from core.base.errors import BrigadeError, UnknownError
from core.base.records import ItemStatus, RunStatus
from core.base.views import ItemView, RunView
from core.base.workload import Workload
from core.ui.components.problem import later
from core.ui.components.runs import view_run
from core.ui.components.stages import stage_titles
from core.ui.language import t
from core.ui.numbers import count
from core.ui.safe import label

if TYPE_CHECKING:
    from core.ui.frame import Desk

TICKET = "again_ticket"
ENDED = frozenset({RunStatus.FINISHED, RunStatus.CANCELLED})


def parent_of(run: RunView) -> str:
    """The run that this one takes results over from; '' where it takes over nothing."""
    return str(run.settings.get("parent") or "")


def show_parent(run: RunView) -> None:
    """A way back to the run that this one goes over again."""
    parent = parent_of(run)
    if parent and st.button(
        t("again.parent", run=label(parent)), key=f"parent-{run.id}", icon=":material/arrow_back:", type="tertiary"
    ):
        view_run(parent)
        st.rerun()


def show_again(desk: Desk, run: RunView, item: ItemView) -> None:
    """Do one item anew: from its searches on, or just one stage."""
    if item.status in (None, ItemStatus.PENDING):
        return
    try:
        workload = desk.service.workload(run.workload)
    except UnknownError:
        return
    off = not desk.person.operates
    with st.popover(t("again.item"), icon=":material/replay:", disabled=off, key=f"again-{run.id}-{item.id}"):
        stage = _stage(desk, workload)
        st.caption(t("again.says"))
        do = partial(desk.service.rerun, run.id, item.id, stage=stage, who=desk.person.name)
        _button(desk, t("again.start"), f"{run.id}-{item.id}", do)


def _stage(desk: Desk, workload: Workload) -> str | None:
    """One of the stages that ask a model; None for all of them."""
    titles = stage_titles(desk.service, workload.id)
    searches = any(stage.kind == "search" for stage in workload.stages)
    return st.selectbox(
        t("again.what"),
        [stage.id for stage in workload.stages if stage.kind == "llm"],
        index=None,
        format_func=lambda stage: t("again.only", stage=titles.get(stage, stage)),
        placeholder=t("again.after_search" if searches else "again.everything"),
        key=f"again-stage-{workload.id}",
    )


def show_failed_again(desk: Desk, run: RunView) -> None:
    """Do the failed items of a run that takes no commands any more anew; what it did for them is taken over."""
    if run.status in ENDED and run.failed:
        do = partial(desk.service.start_again, run.id, Again(only_failed=True), who=desk.person.name)
        _button(desk, t("again.failed", n=count(run.failed)), f"{run.id}-failed", do)


def _button(desk: Desk, name: str, key: str, do: Callable[[], str]) -> None:
    """A button that starts a run once, and shows it; inside a fragment too, which alone would go on as it was."""
    ticket = st.session_state.setdefault(TICKET, uuid.uuid4().hex)
    pressed = st.button(
        label(name),
        key=f"again-{key}-{ticket}",
        type="primary",
        icon=":material/replay:",
        disabled=not desk.person.operates,
        on_click=_do,
        args=(desk, ticket, do),
    )
    if pressed:
        st.rerun()


def _do(desk: Desk, ticket: str, do: Callable[[], str]) -> None:
    """Start once for each ticket: the second click of a double click finds it spent."""
    if st.session_state.get(TICKET) != ticket or not desk.person.operates:
        return
    del st.session_state[TICKET]
    try:
        run_id = do()
    except BrigadeError as exc:
        later("problem.start", exc)
    else:
        view_run(run_id)
