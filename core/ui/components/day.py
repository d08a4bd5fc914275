"""What is left of the day's budget, for everybody; who operates sets it here."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import streamlit as st

from core.base.errors import BrigadeError
from core.base.views import DayView, RunView
from core.ui.components.orders import resume
from core.ui.components.problem import later
from core.ui.language import t
from core.ui.numbers import money
from core.ui.safe import label

if TYPE_CHECKING:
    from core.ui.frame import Desk

SPENT = "The day's budget of "  # how the engine begins to say why it stopped


def show_day(desk: Desk) -> None:
    """Spent today against the most that may be, and the way to change that."""
    told = desk.service.day()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if told.budget_usd:
            st.progress(
                float(min(Decimal(1), told.spent_usd / told.budget_usd)), text=label(day_sentence(told), 200), width=420
            )
        else:
            st.caption(label(day_sentence(told), 200), width="content")
        _change(desk, told)


def day_sentence(told: DayView) -> str:
    """`Today: $1.20 of $5.00, $3.80 left`."""
    if told.budget_usd is None:
        return t("day.open", spent=money(told.spent_usd))
    left = max(Decimal(0), told.budget_usd - told.spent_usd)
    return t("day.left", spent=money(told.spent_usd), budget=money(told.budget_usd), left=money(left))


def _change(desk: Desk, told: DayView) -> None:
    off = not desk.person.operates or told.by_hand
    why = t("day.by_hand") if told.by_hand else t("day.help")
    with st.popover(t("day.change"), icon=":material/today:", type="tertiary", disabled=off, key="day", help=why):
        budget = _amount(told.budget_usd)
        st.button(t("day.set"), key="day_set", type="primary", disabled=off, on_click=_keep, args=(desk, budget))


def _amount(offered: Decimal | None) -> Decimal | None:
    """A new budget; None for none of the screen's."""
    budget = st.number_input(
        t("day.budget"),
        min_value=0.0,
        value=None if offered is None else float(offered),
        step=1.0,
        format="%.2f",
        key=f"day-budget-{offered}",
        placeholder=t("launch.budget_none"),
        help=t("day.budget_help"),
    )
    return None if budget is None else Decimal(str(budget))


def _keep(desk: Desk, budget: Decimal | None) -> None:
    _set(desk, budget)


def _set(desk: Desk, budget: Decimal | None) -> bool:
    """Keep it in the database, where every process goes by it; whether that was possible."""
    if not desk.person.operates:
        return False
    try:
        desk.service.set_day_budget(budget, who=desk.person.name)
    except BrigadeError as exc:
        later("problem.control", exc)
        return False
    return True


def day_spent(run: RunView) -> bool:
    """Whether it was the day's budget, not the run's own, that stopped a run."""
    return run.reason.startswith(SPENT)


def raise_day(desk: Desk, run: RunView) -> None:
    """A run that the day's budget stopped goes on with a higher one."""
    told, off = desk.service.day(), not desk.person.operates
    with st.popover(t("day.raise"), icon=":material/today:", type="primary", disabled=off, key="raise_day"):
        st.text(day_sentence(told))
        budget = _amount(_higher(told))
        st.button(
            t("live.resume"),
            key="resume",
            type="primary",
            icon=":material/play_arrow:",
            disabled=off or (budget is not None and budget <= told.spent_usd),
            on_click=_raise,
            args=(desk, run, budget),
        )


def _higher(told: DayView) -> Decimal | None:
    """What is offered: twice as much, unless a new day has begun since and there is room again."""
    if told.budget_usd is None or 2 * told.spent_usd < told.budget_usd:
        return told.budget_usd
    return 2 * max(told.budget_usd, told.spent_usd)


def _raise(desk: Desk, run: RunView, budget: Decimal | None) -> None:
    if _set(desk, budget):
        resume(desk, run)
