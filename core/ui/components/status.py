"""The head of a run: its status as a badge and a sentence, and the buttons that stop, pause and go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.base.records import RunStatus
from core.base.views import RunView
from core.ui.components.again import show_failed_again, show_parent
from core.ui.components.budget import raise_budget
from core.ui.components.endpoints import run_models, show_note
from core.ui.components.orders import resume, send
from core.ui.components.runs import view_run, workload_title
from core.ui.language import t
from core.ui.numbers import moment
from core.ui.sentences import RESUMABLE, STATUS_LOOK, said, status_name, status_sentence, trouble, trouble_sentence

if TYPE_CHECKING:
    from core.ui.frame import Desk


def show_status(desk: Desk, run: RunView) -> None:
    """Badge, sentence, the engine's own words, and the buttons the status allows."""
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            _headline(desk, run)
            _buttons(desk, run)
        if trouble(run):
            st.warning(trouble_sentence(run), icon=":material/warning:")
        st.caption(status_sentence(run))
        if run.reason:
            st.text(said(run.reason))
        show_note(desk.service, run_models(run, desk.service.stages(run.id)))


def _headline(desk: Desk, run: RunView) -> None:
    color, icon = STATUS_LOOK[run.status]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
        st.badge(status_name(run), color=color, icon=icon)  # type: ignore[arg-type]  # a literal type of colours
        st.text(workload_title(desk.service, run.workload))
        st.caption(t("live.started", time=moment(run.started_at or run.created_at)), width="content")


def _buttons(desk: Desk, run: RunView) -> None:
    off = not desk.person.operates
    with st.container(horizontal=True, gap="small", width="content"):
        if run.status == RunStatus.RUNNING:
            st.button(
                t("live.pause"),
                key="pause",
                icon=":material/pause:",
                disabled=off,
                on_click=send,
                args=(desk, run, "pause"),
            )
        if run.status == RunStatus.BUDGET:
            raise_budget(desk, run)
        elif run.status in RESUMABLE:
            st.button(
                t("live.resume"),
                key="resume",
                icon=":material/play_arrow:",
                type="primary",
                disabled=off,
                on_click=resume,
                args=(desk, run),
            )
        if run.status in (RunStatus.RUNNING, RunStatus.PENDING, RunStatus.PAUSED):
            _stop(desk, run, off)
        show_parent(run)
        show_failed_again(desk, run)
        st.button(t("live.new"), key="new_run", icon=":material/add:", on_click=view_run, args=(None,))


def _stop(desk: Desk, run: RunView, off: bool) -> None:
    with st.popover(t("live.stop"), icon=":material/stop:", disabled=off, key="stop"):
        st.caption(t("live.stop_says"))
        st.button(
            t("live.stop_sure"), key="cancel", type="primary", disabled=off, on_click=send, args=(desk, run, "cancel")
        )
