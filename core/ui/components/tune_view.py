"""Which sweep is in view (`?sweep=`), and which others are drawn beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from core.base.errors import UnknownError
from core.base.views import SweepView
from core.ui.components.problem import show_problem
from core.ui.language import t
from core.ui.numbers import moment
from core.ui.sentences import resource_name

if TYPE_CHECKING:
    from core.service import Service

PICKER, OTHERS = "sweep_picker", "sweep_others"
MOST = 5  # sweeps beside the one in view


def view_sweep(sweep_id: str) -> None:
    """Put a sweep into the URL; for callbacks."""
    st.query_params["sweep"] = sweep_id


def pick_sweep(service: Service) -> tuple[SweepView, list[SweepView]] | None:
    """The sweep in view and those to compare with it; None where there is none yet."""
    known = {s.id: s for s in service.sweeps(limit=50)}
    sweep = _in_view(service, known)
    if sweep is None:
        return None
    known = {sweep.id: sweep, **known}
    left, right = st.columns([1, 1])
    st.session_state[PICKER] = sweep.id
    left.selectbox(
        t("tune.sweep"),
        list(known),
        format_func=lambda i: sweep_line(known[i]),
        key=PICKER,
        on_change=lambda: view_sweep(st.session_state[PICKER]),
    )
    others = [s.id for s in known.values() if s.id != sweep.id and s.resource == sweep.resource and s.points]
    beside = right.multiselect(
        t("tune.compare"),
        others,
        format_func=lambda i: sweep_line(known[i]),
        key=f"{OTHERS}-{sweep.id}",
        max_selections=MOST,
        placeholder=t("tune.compare_none"),
    )
    return sweep, [known[i] for i in beside]


def _in_view(service: Service, known: Mapping[str, SweepView]) -> SweepView | None:
    wanted = st.query_params.get("sweep")
    if wanted:
        try:
            return service.sweep(wanted)
        except UnknownError as exc:
            show_problem("problem.sweep_unknown", exc)
    return next(iter(known.values()), None)


def sweep_line(sweep: SweepView) -> str:
    """What tells any two sweeps apart."""
    return f"{sweep_name(sweep)} · {sweep.id}"


def sweep_name(sweep: SweepView) -> str:
    """Where, which model, when."""
    what = sweep.model or resource_name(sweep.resource)
    return f"{sweep.endpoint} · {what} · {moment(sweep.at)}"
