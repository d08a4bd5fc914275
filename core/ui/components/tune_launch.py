"""What a sweep would take, and the button that starts it exactly once."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import streamlit as st

from core.base.errors import BrigadeError
from core.base.views import SweepEstimate
from core.ui.components.launch import CONFIRM_ABOVE
from core.ui.components.problem import later, show_problem
from core.ui.components.tune_view import view_sweep
from core.ui.language import t
from core.ui.numbers import count, money, seconds

if TYPE_CHECKING:
    from core.tuning.sweep_order import SweepOrder
    from core.ui.frame import Desk

TICKET = "sweep_ticket"


def show_sweep_estimate(desk: Desk, order: SweepOrder) -> None:
    """The estimate of the order, what speaks against it, and the start."""
    with st.container(border=True):
        st.subheader(t("estimate.title"), anchor=False)
        try:
            told = desk.service.estimate_sweep(order)
        except BrigadeError as exc:
            show_problem("problem.sweep", exc)
            return
        _show(told, order.resource)
        _start_button(desk, order, possible=_possible(told, order) and _confirmed(told))


def _show(told: SweepEstimate, resource: str) -> None:
    with st.grid(3, min_column_width=74, gap="xsmall"):
        st.metric(t("estimate.limits"), count(len(told.limits)), help=t("estimate.limits_help"))
        st.metric(t(f"estimate.{resource}_calls"), count(told.calls))
        st.metric(t("forecast.items"), count(min(told.items, told.items_needed)))
    st.text(t("estimate.tries", limits=", ".join(map(str, told.limits))))
    st.text(t("forecast.takes", time=_time(told)))
    st.text(t("forecast.costs", cost=_cost(told)))
    st.caption(t(f"estimate.basis_{told.basis}"))


def _time(told: SweepEstimate) -> str:
    if told.duration_s is None:
        return t("forecast.unknown")
    return t("forecast.between", low=seconds(told.duration_s[0]), high=seconds(told.duration_s[1]))


def _cost(told: SweepEstimate) -> str:
    if told.cost_usd is None:
        return t("forecast.unknown")
    expected, most = told.cost_usd
    if not most:
        return t("estimate.free")
    cost = money(most) if expected == most else t("forecast.between", low=money(expected), high=money(most))
    return t("estimate.simulated", cost=cost) if told.simulated else t("estimate.at_most", cost=cost)


def _possible(told: SweepEstimate, order: SweepOrder) -> bool:
    """Whether items and budget allow it; says what they don't allow."""
    if not told.reachable:
        st.warning(t("estimate.too_few", items=count(told.items), needed=count(told.items_needed)))
        return False
    if told.items < told.items_needed:
        reach, of = count(len(told.reachable)), count(len(told.limits))
        st.info(t("estimate.scarce", items=count(told.items), reach=reach, of=of, needed=count(told.items_needed)))
    if order.budget is not None and told.cost_usd is not None and told.cost_usd[1] > order.budget:
        st.warning(t("estimate.over_budget", cost=money(told.cost_usd[1]), budget=money(order.budget)))
        return False
    return True


def _confirmed(told: SweepEstimate) -> bool:
    """Real money needs a tick; above a sum, or where the sum is unknown, the number of calls must be typed."""
    if told.simulated or (told.cost_usd is not None and not told.cost_usd[1]):
        return True
    if told.cost_usd is not None and told.cost_usd[1] < CONFIRM_ABOVE:
        return st.checkbox(t("estimate.agree", cost=money(told.cost_usd[1])), key="tune_agree")
    typed = st.text_input(t("estimate.confirm", n=told.calls), key="tune_confirm", placeholder=str(told.calls))
    return (typed or "").strip() == str(told.calls)


def _start_button(desk: Desk, order: SweepOrder, *, possible: bool) -> None:
    ticket = st.session_state.setdefault(TICKET, uuid.uuid4().hex)
    st.button(
        t("tune.start"),
        key=f"sweep-{ticket}",
        type="primary",
        icon=":material/speed:",
        width="stretch",
        disabled=not (possible and desk.person.operates),
        on_click=_start,
        args=(desk, order, ticket),
    )
    if not desk.person.operates:
        st.caption(t("access.operators_only"))


def _start(desk: Desk, order: SweepOrder, ticket: str) -> None:
    """Start once for each ticket: the second click of a double click finds it spent."""
    if st.session_state.get(TICKET) != ticket or not desk.person.operates:
        return
    del st.session_state[TICKET]
    try:
        sweep_id = desk.service.start_sweep(order, who=desk.person.name)
    except BrigadeError as exc:
        later("problem.sweep", exc)
    else:
        view_sweep(sweep_id)
