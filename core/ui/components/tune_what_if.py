"""What if: so many items with these limits, models and servers; how long, how much, and what would hold it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.base.views import Forecast
from core.base.workload import Workload
from core.ui.components.forecast import show_forecast
from core.ui.components.stages import stage_titles
from core.ui.components.tune_asking import FRESH_S, Asked, answered, take_items, take_limit, take_model
from core.ui.language import t

if TYPE_CHECKING:
    from core.service import Service


def show_what_if(service: Service, workload: Workload) -> None:
    """The form on the left, what was forecast on the right."""
    left, right = st.columns([4, 7], gap="medium")
    with left:
        asked = _form(service, workload)
    with right:
        told = answered(f"what-if-{workload.id}", asked, lambda wish: _forecast(service, workload.id, wish))
        if told is not None:
            with st.container(border=True):
                st.subheader(t("forecast.title"), anchor=False)
                show_forecast(told, stage_titles(service, workload.id))


def _form(service: Service, workload: Workload) -> Asked | None:
    with st.form(f"what-if-form-{workload.id}"):
        asked = {
            "items": take_items(service, workload, "what-if"),
            "llm_limit": take_limit("llm", "what-if"),
            "search_limit": take_limit("search", "what-if") if _searches(workload) else None,
            "model": take_model(service, t("launch.model"), "what-if-model", t("launch.model_default")),
            "stage_models": _stage_models(service, workload),
            "copies": int(
                st.number_input(t("ahead.copies"), 1, 1000, 1, key="what-if-copies", help=t("ahead.copies_help"))
            ),
        }
        return asked if st.form_submit_button(t("ahead.ask"), type="primary", width="stretch") else None


def _searches(workload: Workload) -> bool:
    return any(stage.kind == "search" for stage in workload.stages)


def _stage_models(service: Service, workload: Workload) -> dict[str, str]:
    """Models that single stages are given."""
    titles = stage_titles(service, workload.id)
    models = {}
    with st.expander(t("ahead.stage_models")):
        for stage in (s.id for s in workload.stages if s.kind == "llm"):
            name = t("ahead.stage_model", stage=titles.get(stage, stage))
            models[stage] = take_model(service, name, f"what-if-{workload.id}-{stage}", t("ahead.as_above"))
    return {stage: model for stage, model in models.items() if model}


@st.cache_resource(ttl=FRESH_S, max_entries=50, show_spinner=False)
def _forecast(_service: Service, workload: str, asked: Asked) -> Forecast:
    wanted = dict(asked)
    return _service.what_if(workload, wanted.pop("items"), **wanted)
