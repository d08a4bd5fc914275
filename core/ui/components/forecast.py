"""What a run or a plan is expected to come to: counts, time and cost as ranges, what would hold it back, caveats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core.base.views import Caveat, Forecast
from core.ui.language import t
from core.ui.numbers import count
from core.ui.sentences import forecast_cost, forecast_sentence, forecast_time
from core.ui.tuning_words import caveat_sentence, held_by

FEW = 2  # caveats that stand open


def show_forecast(forecast: Forecast, titles: Mapping[str, str]) -> None:
    """A forecast in its card; titles name the stages."""
    with st.grid(3, min_column_width=74, gap="xsmall"):
        st.metric(t("forecast.items"), count(forecast.items))
        st.metric(t("forecast.search_calls"), count(forecast.search_calls))
        st.metric(t("forecast.llm_calls"), count(forecast.llm_calls))
    with st.container(gap="xsmall"):
        st.text(t("forecast.takes", time=forecast_time(forecast)))
        st.text(t("forecast.costs", cost=forecast_cost(forecast)))
        if forecast.bottleneck:
            st.text(t("forecast.held", what=_held_by(forecast.bottleneck, titles)))
    st.caption(forecast_sentence(forecast))
    show_caveats(forecast.caveats, titles)


def _held_by(bottleneck: str, titles: Mapping[str, str]) -> str:
    """`llm`, or `stage:total_summary`, in words."""
    resource, _, name = bottleneck.partition(":")
    return held_by(resource, titles.get(name, name))


def show_caveats(caveats: Sequence[Caveat], titles: Mapping[str, str]) -> None:
    """One or two stand open, more behind a line that says how many."""
    told = [caveat_sentence(_named(caveat, titles)) for caveat in caveats]
    if len(told) > FEW:
        with st.expander(t("forecast.caveats", n=count(len(told))), icon=":material/info:"):
            _list(told)
    else:
        _list(told)


def _list(told: Sequence[str]) -> None:
    with st.container(gap="xsmall"):
        for sentence in told:
            st.text(f"• {sentence}")


def _named(caveat: Caveat, titles: Mapping[str, str]) -> Caveat:
    """The caveat with its stages' titles in place of their ids."""
    values = dict(caveat.values)
    if "stage" in values:
        values["stage"] = titles.get(values["stage"], values["stage"])
    if "stages" in values:
        values["stages"] = [titles.get(stage, stage) for stage in values["stages"]]
    return Caveat(caveat.key, values)
