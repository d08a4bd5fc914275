"""How far off forecasts were: every finished run against the forecast that it was started with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.base.workload import Workload
from core.ui import charts
from core.ui.ahead_words import error_row
from core.ui.components.columns import numbers, texts
from core.ui.components.figures import palette, show_figure
from core.ui.components.problem import show_empty
from core.ui.language import t

if TYPE_CHECKING:
    from core.service import Service

WORDS = ("expected_s", "measured_s", "as_told")


def show_errors(service: Service, workload: Workload) -> None:
    """A chart of the durations and a table of all, newest first."""
    errors = service.forecast_errors(workload.id)
    if not errors:
        show_empty("empty.forecast_errors", ":material/insights:", go="pages/run.py")
        return
    figure = charts.forecast_errors(errors, {word: t(f"legend.{word}") for word in WORDS}, palette())
    show_figure("chart.forecast_errors", figure)
    st.dataframe(
        [error_row(error) for error in errors],
        hide_index=True,
        height="content" if len(errors) < 10 else 380,
        column_config=texts("at", "run")
        | numbers("items")
        | texts("forecast_s", "measured_s", "off", "forecast_usd", "cost", "off_usd", right=True)
        | texts("noted"),
        alt=t("chart.forecast_errors.title"),
        key="forecast_errors",
    )
