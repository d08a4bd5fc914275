"""Settings of a run to come, its forecast, and the button that starts it exactly once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.base.errors import BrigadeError
from core.base.views import Forecast
from core.base.workload import Workload
from core.pipeline.sizing import AUTO, Wanted
from core.ui.components.endpoints import show_note
from core.ui.components.forecast import show_forecast
from core.ui.components.limits import pick_limit, pick_slo
from core.ui.components.picker import Items
from core.ui.components.problem import later, show_problem
from core.ui.components.runs import view_run
from core.ui.components.stages import stage_titles
from core.ui.language import t
from core.ui.numbers import count

if TYPE_CHECKING:
    from core.service import Service
    from core.ui.frame import Desk

SAMPLE = 5  # items of a run that is made to learn what the whole one takes
CONFIRM_ABOVE = Decimal("5")  # USD of the forecast's high end from which the start must be typed


@dataclass(frozen=True, slots=True)
class Order:
    """All that `service.start` needs."""

    workload: str
    items: Items
    size: int
    llm_limit: Wanted
    search_limit: Wanted
    slo_p95: float | None
    model: str | None
    budget: Decimal | None
    cache: bool = False


def take_order(desk: Desk, workload: Workload, items: Items, size: int) -> Order:
    """The settings of a run to come; the forecast below follows every change at once."""
    settings = desk.service.settings
    with st.container(border=True):
        st.subheader(t("launch.settings"), anchor=False)
        model = _model(desk.service, settings.model)
        show_note(desk.service, [] if model is None else [model])
        llm = pick_limit("llm", desk.service.usual_limit("llm"), 128)
        slo = pick_slo("slo_p95") if llm == AUTO else None
        searches = any(s.kind == "search" for s in workload.stages)
        search = pick_limit("search", desk.service.usual_limit("search"), 64) if searches else settings.search_limit
        return Order(workload.id, items, size, llm, search, slo, model, _budget(), _cache())


def _model(service: Service, usual: str) -> str | None:
    endpoints = dict(service.models())
    first = list(endpoints).index(usual) if usual in endpoints else 0
    return st.selectbox(
        t("launch.model"),
        list(endpoints),
        index=first,
        format_func=lambda m: f"{m or t('launch.model_first')} · {endpoints[m]}",
        key="model",
        placeholder=t("launch.model_default"),
        help=t("launch.model_help"),
    )


def _budget() -> Decimal | None:
    budget = st.number_input(
        t("launch.budget"),
        min_value=0.01,
        value=None,
        step=0.5,
        format="%.2f",
        key="budget",
        placeholder=t("launch.budget_none"),
        help=t("launch.budget_help"),
    )
    return None if budget is None else Decimal(str(budget))


def _cache() -> bool:
    return st.toggle(t("launch.cache"), key="cache", help=t("launch.cache_help"))


def show_launch(desk: Desk, order: Order) -> None:
    """The forecast of the order, the start button, and the one that tries a few items first."""
    with st.container(border=True):
        st.subheader(t("forecast.title"), anchor=False)
        try:
            forecast = desk.service.forecast(
                order.workload,
                order.items,
                llm_limit=order.llm_limit,
                search_limit=order.search_limit,
                model=order.model,
            )
        except BrigadeError as exc:
            show_problem("problem.forecast", exc)
            return
        show_forecast(forecast, stage_titles(desk.service, order.workload))
        _buttons(desk, order, _confirmed(forecast))


def _confirmed(forecast: Forecast) -> bool:
    """Above a cost the number of items must be typed."""
    if forecast.cost_usd is None or forecast.cost_usd[2] < CONFIRM_ABOVE:
        return True
    typed = st.text_input(t("launch.confirm", n=forecast.items), key="confirm", placeholder=str(forecast.items))
    return (typed or "").strip() == str(forecast.items)


def _buttons(desk: Desk, order: Order, confirmed: bool) -> None:
    ticket = st.session_state.setdefault("ticket", uuid.uuid4().hex)
    st.button(
        t("launch.start" if order.size != 1 else "launch.start_one", n=count(order.size)),
        key=f"start-{ticket}",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=not (confirmed and desk.person.operates),
        on_click=_start,
        args=(desk, order, ticket),
    )
    if order.size > SAMPLE:
        st.button(
            t("launch.sample", n=count(SAMPLE)),
            key=f"sample-{ticket}",
            icon=":material/science:",
            width="stretch",
            disabled=not desk.person.operates,
            on_click=_start_sample,
            args=(desk, order, ticket),
            help=t("launch.sample_help"),
        )
    if not desk.person.operates:
        st.caption(t("access.operators_only"))


def _start(desk: Desk, order: Order, ticket: str) -> None:
    """Start all of it."""
    _launch(desk, ticket, partial(desk.service.start, order.workload, order.items, **_wanted(desk, order)))


def _start_sample(desk: Desk, order: Order, ticket: str) -> None:
    """Start a few of the items, as the whole would be started."""
    _launch(
        desk, ticket, partial(desk.service.start_sample, order.workload, order.items, n=SAMPLE, **_wanted(desk, order))
    )


def _wanted(desk: Desk, order: Order) -> dict[str, Any]:
    return {
        "llm_limit": order.llm_limit,
        "search_limit": order.search_limit,
        "slo_p95": order.slo_p95,
        "model": order.model,
        "budget": order.budget,
        "cache": order.cache,
        "who": desk.person.name,
    }


def _launch(desk: Desk, ticket: str, start: Callable[[], str]) -> None:
    """Start once for each ticket: the second click of a double click finds it spent."""
    if st.session_state.get("ticket") != ticket or not desk.person.operates:
        return
    del st.session_state["ticket"]
    try:
        run_id = start()
    except BrigadeError as exc:
        later("problem.start", exc)
    else:
        view_run(run_id)
