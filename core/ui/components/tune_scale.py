"""Millions of items: how many servers as fast as the measured ones, how many days, how many dollars."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import streamlit as st

from core.base.tuning_views import Scale
from core.base.workload import Workload
from core.ui.ahead_words import days, scale_lines, scale_range
from core.ui.components.forecast import show_caveats
from core.ui.components.problem import show_empty
from core.ui.components.stages import stage_titles
from core.ui.components.tune_asking import FRESH_S, Asked, answered, take_items
from core.ui.language import t
from core.ui.numbers import count, money

if TYPE_CHECKING:
    from core.service import Service

TEN_MILLION = 10_000_000
GIVEN = ("days", "gpus")


def show_scale(service: Service, workload: Workload) -> None:
    """The question on the left, servers, days and dollars on the right."""
    left, right = st.columns([4, 7], gap="medium")
    with left:
        asked = _form(service, workload)
    with right:
        told = answered(f"scale-{workload.id}", asked, lambda ask: (_scale(service, workload.id, ask),))
        if told is None:
            return
        if told[0] is None:
            show_empty("empty.ahead", ":material/dns:")
        else:
            _show(told[0], stage_titles(service, workload.id))


def _form(service: Service, workload: Workload) -> Asked | None:
    given = st.segmented_control(
        t("ahead.scale_by"),
        GIVEN,
        format_func=lambda g: t(f"scale_given.{g}"),
        default="days",
        required=True,
        key="scale-given",
    )
    with st.form(f"scale-form-{workload.id}"):
        items = take_items(service, workload, "scale", TEN_MILLION)
        gpus = st.number_input(t("ahead.gpus"), 1, 100_000, 8, key="scale-gpus") if given == "gpus" else None
        days = st.number_input(t("ahead.days"), 0.01, 3650.0, 14.0, key="scale-days") if given == "days" else None
        hour = st.number_input(
            t("ahead.gpu_hour"),
            min_value=0.0,
            value=None,
            step=0.5,
            key="scale-hour",
            placeholder=t("ahead.gpu_hour_none"),
            help=t("ahead.gpu_hour_help"),
        )
        asked = {"items": items, "gpus": gpus, "days": days, "hour": None if hour is None else str(hour)}
        return asked if st.form_submit_button(t("ahead.plan_scale"), type="primary", width="stretch") else None


@st.cache_resource(ttl=FRESH_S, max_entries=50, show_spinner=False)
def _scale(_service: Service, workload: str, asked: Asked) -> Scale | None:
    hour = None if asked["hour"] is None else Decimal(asked["hour"])
    return _service.scale(workload, asked["items"], gpus=asked["gpus"], days=asked["days"], usd_per_gpu_hour=hour)


def _show(told: Scale, titles: dict[str, str]) -> None:
    with st.container(border=True):
        with st.grid(4, min_column_width=110, gap="small"):
            st.metric(t("ahead.gpus"), count(told.gpus))
            st.metric(t("ahead.days"), days(told.days[1]))
            st.metric(t("kpi.cost"), money(told.cost_usd[1] if told.cost_usd else None))
            st.metric(t("ahead.per_day"), count(told.items_per_day))
        with st.container(gap="xsmall"):
            for line in (scale_range(told), *scale_lines(told)):
                st.text(line)
        show_caveats(told.caveats, titles)
