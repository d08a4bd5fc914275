"""The control panel of a running run: limits, model per stage and the reason, sent with one Apply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from core.base.errors import BrigadeError
from core.base.records import RunStatus
from core.base.views import RunView
from core.pipeline.sizing import AUTO
from core.ui.components.limits import kept_limit, limit_mode, pick_slo
from core.ui.components.problem import show_problem
from core.ui.components.stages import resources, stage_titles
from core.ui.language import t

if TYPE_CHECKING:
    from core.service import Service
    from core.ui.frame import Desk

RESOURCES = ("llm", "search")
NONE = "none"  # takes a latency target back
STEERABLE = frozenset({RunStatus.PENDING, RunStatus.RUNNING, RunStatus.PAUSED})


def steerable(run: RunView) -> bool:
    """Whether somebody is there to obey: a run that paused by itself has no process until it is resumed."""
    return run.status in STEERABLE and (run.status != RunStatus.PAUSED or run.owner_alive)


def show_steering(desk: Desk, run: RunView) -> None:
    """Sliders for both limits, a model switch and a reason."""
    with st.form(f"steer-{run.id}", border=True):
        st.subheader(t("steer.title"), anchor=False, help=t("steer.help"))
        used = resources(desk.service, run.workload)
        wanted = {f"{resource}_limit": _limit(run, resource) for resource in ("llm", "search") if resource in used}
        wanted["slo_p95"] = _slo(run)
        stage, model = _model(desk.service, run)
        wanted["model"] = f"{stage}={model}" if stage and model else ""
        reason = st.text_input(t("steer.reason"), max_chars=200, placeholder=t("steer.reason_like"))
        if st.form_submit_button(t("steer.apply"), type="primary", width="stretch", disabled=not desk.person.operates):
            _apply(desk, run, wanted, reason or "")


def _limit(run: RunView, resource: str) -> str:
    """A number on the slider, or auto, which passes over it."""
    now = max(1, int(getattr(run, f"{resource}_limit")))
    auto = limit_mode(run, resource) == AUTO
    number = st.slider(t(f"steer.{resource}"), 1, max(64, 2 * now), now, key=f"{resource}-limit-{run.id}-{now}")
    chosen = st.toggle(
        t(f"limit_auto.{resource}"), auto, key=f"{resource}-auto-{run.id}-{auto}", help=t("limits.auto_help")
    )
    return AUTO if chosen else str(number)


def _slo(run: RunView) -> str:
    now = kept_limit(run, "llm").get("slo_p95_s")
    slo = pick_slo(f"slo-{run.id}-{now}", now)
    return "" if slo is None else f"{slo:g}"


def _now(run: RunView) -> dict[str, str]:
    """What the run has, in the words of the commands."""
    slo = kept_limit(run, "llm").get("slo_p95_s")
    limits = {f"{r}_limit": AUTO if limit_mode(run, r) == AUTO else str(getattr(run, f"{r}_limit")) for r in RESOURCES}
    return {**limits, "slo_p95": "" if slo is None else f"{slo:g}", "model": ""}


def _model(service: Service, run: RunView) -> tuple[str | None, str | None]:
    titles = stage_titles(service, run.workload)
    llm = [s.id for s in service.workload(run.workload).stages if s.kind == "llm"] if titles else []
    stage = st.selectbox(t("steer.stage"), llm, index=None, format_func=titles.__getitem__, placeholder=t("steer.keep"))
    model = st.selectbox(t("steer.model"), [m for m, _ in service.models()], index=None, placeholder=t("steer.keep"))
    return stage, model


def _apply(desk: Desk, run: RunView, wanted: Mapping[str, str], reason: str) -> None:
    """Send only what differs from what the run has."""
    if not desk.person.operates:
        return
    now = _now(run)
    changes = {action: value for action, value in wanted.items() if value != now[action]}
    if wanted["llm_limit"] != AUTO:
        changes.pop("slo_p95", None)  # a number by hand has no target
    if not changes:
        st.toast(t("steer.nothing"))
        return
    try:
        for action, value in changes.items():
            desk.service.control(run.id, action, value or NONE, who=desk.person.name, reason=reason)
    except BrigadeError as exc:
        show_problem("problem.control", exc)
    else:
        st.toast(t("sent.limits"), icon=":material/send:")
