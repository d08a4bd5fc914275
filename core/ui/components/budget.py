"""A run that ended by its budget goes on with a higher one, which is confirmed as a start is."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING

import streamlit as st

from core.base.views import RunView
from core.ui.components.day import day_spent, raise_day
from core.ui.components.launch import CONFIRM_ABOVE
from core.ui.components.orders import resume
from core.ui.language import t
from core.ui.numbers import money

if TYPE_CHECKING:
    from core.ui.frame import Desk

CENT = Decimal("0.01")


def raise_budget(desk: Desk, run: RunView) -> None:
    """A button that opens the new budget and, above a sum, asks to type it; the day's where that was reached."""
    if day_spent(run):
        raise_day(desk, run)
        return
    off = not desk.person.operates
    with st.popover(t("budget.raise"), icon=":material/payments:", type="primary", disabled=off, key="raise_budget"):
        spent = run.cost_usd or Decimal(0)
        st.caption(t("budget.says", spent=money(spent)))
        new = _amount(run, spent)
        st.button(
            t("budget.resume", budget=f"{new:.2f}"),
            key="resume",
            type="primary",
            icon=":material/play_arrow:",
            disabled=off or not _confirmed(new),
            on_click=resume,
            args=(desk, run, new),
        )


def _amount(run: RunView, spent: Decimal) -> Decimal:
    """More than what is spent; twice what the run had is offered."""
    had = max(spent, Decimal(str(run.settings.get("budget_usd") or 0)))
    new = st.number_input(
        t("launch.budget"),
        min_value=float(_cents(spent) + CENT),
        value=float(_cents(2 * had) + CENT),
        step=0.5,
        format="%.2f",
        key=f"new-budget-{run.id}",
    )
    return Decimal(str(new))


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_UP)


def _confirmed(new: Decimal) -> bool:
    """Above a sum the new budget must be typed."""
    if new < CONFIRM_ABOVE:
        return True
    typed = st.text_input(t("budget.confirm", budget=f"{new:.2f}"), key="confirm_budget", placeholder=f"{new:.2f}")
    return (typed or "").strip() == f"{new:.2f}"
