"""What a run cost: in all, by stage and model, over time, by item. What has no price is called so."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import streamlit as st

from core.base.views import Bucket, RunView, StageCost, StageStats
from core.ui import charts
from core.ui.components.columns import bar, numbers, texts
from core.ui.components.endpoints import simulated
from core.ui.components.figures import palette, show_figure
from core.ui.components.stages import stage_titles
from core.ui.language import t
from core.ui.numbers import DASH, count, money

if TYPE_CHECKING:
    from core.service import Service


def show_totals(service: Service, run: RunView, stats: Sequence[StageStats]) -> None:
    """Cost in all and per finished item, tokens, calls without a price."""
    ended = run.selected - run.pending
    each = run.cost_usd / ended if run.cost_usd is not None and ended else None
    with st.grid(5, min_column_width=130, gap="small", border=True):
        told = run.cost_usd is not None and simulated(service, run, stats)
        st.metric(t("kpi.cost_simulated" if told else "kpi.cost"), money(run.cost_usd))
        st.metric(t("kpi.cost_item"), money(each))
        st.metric(t("kpi.input_tokens"), count(sum(s.input_tokens for s in stats)))
        st.metric(t("kpi.output_tokens"), count(sum(s.output_tokens for s in stats)))
        st.metric(t("kpi.unpriced_calls"), count(run.unpriced_calls), help=t("kpi.unpriced_help"))


def show_breakdown(service: Service, run: RunView, stats: Sequence[StageStats]) -> None:
    """By stage and model: a chart of what has a price, and the table of all."""
    titles = stage_titles(service, run.workload)
    if any(s.cost_usd is not None for s in stats):
        _charts(service.buckets(run.id), stats, titles, run.wall_s)
    else:
        st.info(t("costs.unpriced"), icon=":material/info:")
    st.subheader(t("costs.table"), anchor=False, help=t("costs.table_help"))
    paid = {(cost.stage, cost.model): cost for cost in service.stage_costs(run.id)}
    split = ("input_usd", "cached_usd", "output_usd") if paid else ()
    st.dataframe(
        [_row(s, titles) | _split(paid.get((s.stage, s.model)), split) for s in stats],
        hide_index=True,
        column_config=texts("stage", "model")
        | numbers("calls", "input", "output")
        | texts("cost", *split, "per_call", right=True),
        alt=t("costs.table"),
        key="cost_table",
    )


def _charts(buckets: Sequence[Bucket], stats: Sequence[StageStats], titles: dict[str, str], wall_s: float) -> None:
    usd, time = t("chart.usd"), t("chart.since_start")
    left, right = st.columns(2, gap="small")
    with left:
        show_figure("chart.cost_stage", charts.cost_by_stage(stats, titles, palette(), axis=usd))
    with right:
        figure = charts.cost_over_time(buckets, palette(), axis=usd, time=time, until=wall_s)
        show_figure("chart.cost_time", figure)


def _row(stats: StageStats, titles: dict[str, str]) -> dict[str, object]:
    free = stats.resource == "search" or (stats.cost_usd is None and not stats.unpriced_calls)
    return {
        "stage": titles.get(stats.stage, stats.stage),
        "model": stats.model,
        "calls": stats.calls,
        "input": stats.input_tokens,
        "output": stats.output_tokens,
        "cost": DASH if free else money(stats.cost_usd),
        "per_call": DASH if free else money(_each(stats)),
    }


def _split(cost: StageCost | None, names: Sequence[str]) -> dict[str, object]:
    """What was paid for tokens read, cached and written; a dash where today's prices don't tell."""
    return {name: DASH if cost is None else money(getattr(cost, name)) for name in names}


def _each(stats: StageStats) -> Decimal | None:
    return stats.cost_usd / stats.calls if stats.cost_usd is not None and stats.calls else None


def show_dearest(service: Service, run: RunView) -> None:
    """The items that cost most; nothing where nothing has a price."""
    dear = service.cost_by_item(run.id, 10)
    if not dear:
        return
    st.subheader(t("costs.dearest"), anchor=False)
    most = float(dear[0][2]) or 1.0
    st.dataframe(
        [{"name": name, "cost": money(cost), "bar": float(cost) / most, "id": item} for item, name, cost in dear],
        hide_index=True,
        height="content",
        column_config=texts("name", "id") | texts("cost", right=True) | bar("bar", 1, " "),
        alt=t("costs.dearest"),
        key="dearest",
    )
