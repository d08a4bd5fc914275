"""By when and for how much: the limits and models that keep a deadline and a budget, or what would have to change."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import streamlit as st

from core.base.tuning_views import Option, Plan
from core.base.workload import Workload
from core.ui.ahead_words import option_row, option_sentence, plan_sentence
from core.ui.components.columns import numbers, texts
from core.ui.components.forecast import show_caveats
from core.ui.components.stages import stage_titles
from core.ui.components.tune_asking import FRESH_S, Asked, answered, take_items
from core.ui.language import t
from core.ui.numbers import viewer_zone
from core.ui.tuning_words import caveat_sentence

if TYPE_CHECKING:
    from core.service import Service

HOUR_S = 3600.0
DEADLINES = ("within", "by", "none")


def show_wish(service: Service, workload: Workload) -> None:
    """The wish on the left, the ways to have it on the right."""
    left, right = st.columns([4, 9], gap="medium")
    with left:
        asked = _form(service, workload)
    with right:
        told = answered(f"wish-{workload.id}", asked, lambda wish: _plan(service, workload.id, wish))
        if told is not None:
            _show(told, stage_titles(service, workload.id))


def _form(service: Service, workload: Workload) -> Asked | None:
    kind = st.segmented_control(
        t("ahead.deadline"),
        DEADLINES,
        format_func=lambda k: t(f"deadline.{k}"),
        default="within",
        required=True,
        key="wish-deadline",
    )
    with st.form(f"wish-form-{workload.id}"):
        items = take_items(service, workload, "wish")
        deadline_s = _deadline(str(kind))
        budget = st.number_input(
            t("launch.budget"),
            min_value=0.01,
            value=None,
            step=1.0,
            key="wish-budget",
            placeholder=t("launch.budget_none"),
        )
        if not st.form_submit_button(t("ahead.find"), type="primary", width="stretch"):
            return None
    if deadline_s is None and budget is None:
        st.warning(t("ahead.unwished"))
        return None
    return {"items": items, "deadline_s": deadline_s, "budget": None if budget is None else str(budget)}


def _deadline(kind: str) -> float | None:
    """Seconds from now; None where there is no deadline."""
    if kind == "within":
        hours = st.number_input(t("ahead.hours"), min_value=0.01, value=1.0, step=0.5, key="wish-hours")
        return float(hours) * HOUR_S
    if kind == "by":
        clock = st.time_input(t("ahead.clock"), time(17, 0), key="wish-clock", help=t("ahead.clock_help"))
        return None if clock is None else seconds_until(clock, datetime.now(viewer_zone()))
    return None


def seconds_until(clock: time, now: datetime) -> float:
    """Seconds until it is that time of day again where `now` is."""
    then = datetime.combine(now.date(), clock, now.tzinfo)
    if then <= now:
        then = datetime.combine(now.date() + timedelta(days=1), clock, now.tzinfo)
    return then.timestamp() - now.timestamp()


@st.cache_resource(ttl=FRESH_S, max_entries=50, show_spinner=False)
def _plan(_service: Service, workload: str, asked: Asked) -> Plan:
    budget = None if asked["budget"] is None else Decimal(asked["budget"])
    return _service.plan_for(workload, asked["items"], deadline_s=asked["deadline_s"], budget=budget)


def _show(plan: Plan, titles: dict[str, str]) -> None:
    with st.container(border=True):
        if plan.options:
            st.text(plan_sentence(plan))
            _options(plan.options, titles)
        else:
            st.warning(plan_sentence(plan), icon=":material/block:")
            if plan.best is not None:
                st.text(option_sentence(plan.best, titles))
                st.text(t("ahead.needs"))
            for need in plan.needs:
                st.text(f"• {caveat_sentence(need)}")
        if plan.best is not None:
            show_caveats(plan.best.forecast.caveats, titles)


def _options(options: tuple[Option, ...], titles: dict[str, str]) -> None:
    """Ranked: the best way first."""
    st.dataframe(
        [option_row(option, titles) for option in options],
        hide_index=True,
        height="content" if len(options) < 10 else 380,
        column_config=numbers("llm_limit", "search_limit")
        | texts("expected", "at_most", "cost", "cost_most", right=True)
        | texts("sureness", "models"),
        alt=t("ahead.wish"),
        key="wish_options",
    )
