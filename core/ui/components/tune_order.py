"""What is to be swept: the choices of the Tune page, checked as they are made."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import streamlit as st

from core.base.errors import BrigadeError
from core.base.workload import Workload
from core.practice import PRESETS
from core.tuning.sweep_order import SweepOrder, parse_limits
from core.ui.components.endpoints import show_note
from core.ui.components.picker import pick_workload
from core.ui.components.problem import show_empty, show_problem
from core.ui.components.tune_presets import preset_name
from core.ui.language import t
from core.ui.safe import one_line
from core.ui.sentences import resource_name

if TYPE_CHECKING:
    from core.base.views import EndpointView
    from core.service import Service
    from core.ui.frame import Desk

GRID = "1, 2, 4, 8, 16, 32, 64"
WAYS = ("auto", "grid")
PRESET = "preset:"  # how a practice preset stands among the servers to choose from
SERVER = "tune_server"


def take_sweep(desk: Desk) -> SweepOrder | None:
    """The order as the form says; None where it cannot be one, which is said on the spot."""
    with st.container(border=True):
        st.subheader(t("tune.new"), anchor=False)
        workload = pick_workload(desk.service)
        items = _items(desk.service, workload) if workload else None
        if workload is None or items is None:
            return None
        resource = _resource(workload)
        server, model = _server(desk.service) if resource == "llm" else (None, None)
        return _order(workload.id, items, resource, server, model)


def _items(service: Service, workload: Workload) -> str | None:
    """All items, or the first so many."""
    everything = service.items(workload.id, limit=1).total
    if not everything:
        show_empty("empty.items", ":material/storefront:")
        return None
    first = st.number_input(
        t("tune.items"), 1, everything, everything, key=f"tune-items-{workload.id}", help=t("tune.items_help")
    )
    return "all" if first == everything else str(int(first))


def _resource(workload: Workload) -> str:
    """Model calls or searches, where the workload has both."""
    there = [r for r in ("llm", "search") if any(s.kind == r for s in workload.stages)]
    chosen = st.segmented_control(
        t("tune.resource"), there, format_func=resource_name, default=there[0], required=True, key="tune_resource"
    )
    return str(chosen or there[0])


def _server(service: Service) -> tuple[str, str | None]:
    """The endpoint or practice preset that is measured, and its model."""
    endpoints = {e.name: e for e in service.endpoints() if not (e.removed or e.problem)}
    names = [*endpoints, *(f"{PRESET}{p}" for p in PRESETS)]
    usual = next((e.name for e in endpoints.values() if service.settings.model in e.models), names[0])
    st.session_state.setdefault(SERVER, usual)
    server = st.selectbox(t("tune.server"), names, format_func=_server_name, key=SERVER, help=t("tune.server_help"))
    model = _model(service, endpoints.get(server))
    if server in endpoints:
        show_note(service, [model] if model else [])
    else:
        st.caption(t("tune.rehearses"))
    return server, model


def _server_name(server: str) -> str:
    if server.startswith(PRESET):
        return t("tune.practice_server", name=preset_name(server.removeprefix(PRESET)))
    return one_line(server)


def _model(service: Service, endpoint: EndpointView | None) -> str | None:
    """A model of the endpoint; None: whatever it offers, or the practice server's first."""
    models = endpoint.models if endpoint else ()
    if len(models) < 2:
        return next(iter(models), None)
    first = models.index(service.settings.model) if service.settings.model in models else 0
    return st.selectbox(t("launch.model"), models, index=first, key=f"tune-model-{endpoint.name if endpoint else ''}")


def _order(workload: str, items: str, resource: str, server: str | None, model: str | None) -> SweepOrder | None:
    try:
        return SweepOrder(
            workload,
            items,
            resource=resource,
            limits=_limits(),
            slo_p95_s=_number("tune.slo", "tune_slo", "tune.slo_none", 0.5),
            endpoint=None if server is None or server.startswith(PRESET) else server,
            preset=server.removeprefix(PRESET) if server and server.startswith(PRESET) else None,
            model=model,
            budget=_budget(),
        )
    except BrigadeError as exc:
        show_problem("problem.sweep", exc)
        return None


def _limits() -> tuple[int, ...]:
    way = st.segmented_control(
        t("tune.limits"), WAYS, format_func=lambda w: t(f"tune.{w}"), default="auto", required=True, key="tune_way"
    )
    if way != "grid":
        st.caption(t("tune.auto_says"))
        return ()
    return parse_limits(st.text_input(t("tune.grid_label"), GRID, key="tune_grid", max_chars=120) or "")


def _number(label: str, key: str, nothing: str, step: float) -> float | None:
    return st.number_input(
        t(label), min_value=0.01, value=None, step=step, key=key, placeholder=t(nothing), help=t(f"{label}_help")
    )


def _budget() -> Decimal | None:
    budget = _number("launch.budget", "tune_budget", "launch.budget_none", 0.5)
    return None if budget is None else Decimal(str(budget))
