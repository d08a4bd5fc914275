"""The control panel of a running run: limits, model per stage and the reason, sent with one Apply."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.base.errors import BrigadeError
from core.base.records import RunStatus
from core.base.views import RunView
from core.ui.components.problem import show_problem
from core.ui.components.stages import resources, stage_titles
from core.ui.language import t

if TYPE_CHECKING:
    from core.service import Service
    from core.ui.frame import Desk

STEERABLE = frozenset({RunStatus.PENDING, RunStatus.RUNNING, RunStatus.PAUSED})


def steerable(run: RunView) -> bool:
    """Whether somebody is there to obey: a run that paused by itself has no process until it is resumed."""
    return run.status in STEERABLE and (run.status != RunStatus.PAUSED or run.owner_alive)


def show_steering(desk: Desk, run: RunView) -> None:
    """Sliders for both limits, a model switch and a reason."""
    with st.form(f"steer-{run.id}", border=True):
        st.subheader(t("steer.title"), anchor=False, help=t("steer.help"))
        now = {"llm": run.llm_limit, "search": run.search_limit}
        used = resources(desk.service, run.workload)
        wanted = {f"{resource}_limit": _limit(run, resource, now[resource]) for resource in now if resource in used}
        stage, model = _model(desk.service, run)
        reason = st.text_input(t("steer.reason"), max_chars=200, placeholder=t("steer.reason_like"))
        if st.form_submit_button(t("steer.apply"), type="primary", width="stretch", disabled=not desk.person.operates):
            _apply(desk, run, {**wanted, "model": f"{stage}={model}" if stage and model else ""}, reason or "")


def _limit(run: RunView, resource: str, now: int) -> int:
    most = max(64, 2 * now)
    return int(st.slider(t(f"steer.{resource}"), 1, most, max(1, now), key=f"{resource}-limit-{run.id}-{now}"))


def _model(service: Service, run: RunView) -> tuple[str | None, str | None]:
    titles = stage_titles(service, run.workload)
    llm = [s.id for s in service.workload(run.workload).stages if s.kind == "llm"] if titles else []
    stage = st.selectbox(t("steer.stage"), llm, index=None, format_func=titles.__getitem__, placeholder=t("steer.keep"))
    model = st.selectbox(t("steer.model"), [m for m, _ in service.models()], index=None, placeholder=t("steer.keep"))
    return stage, model


def _apply(desk: Desk, run: RunView, wanted: dict[str, object], reason: str) -> None:
    """Send only what differs from what the run has."""
    if not desk.person.operates:
        return
    now = {"llm_limit": run.llm_limit, "search_limit": run.search_limit, "model": ""}
    changes = {a: v for a, v in wanted.items() if v != now[a]}
    if not changes:
        st.toast(t("steer.nothing"))
        return
    try:
        for action, value in changes.items():
            desk.service.control(run.id, action, str(value), who=desk.person.name, reason=reason)
    except BrigadeError as exc:
        show_problem("problem.control", exc)
    else:
        st.toast(t("sent.limits"), icon=":material/send:")
