"""What a whole run measured: the headline numbers and its charts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.base.views import ItemView, RunView, StageStats
from core.ui import charts
from core.ui.components.figures import palette, show_figure
from core.ui.components.parts import part_titles
from core.ui.components.problem import show_empty
from core.ui.components.stages import resources, show_stages, stage_titles
from core.ui.language import t
from core.ui.numbers import count, rate, seconds
from core.ui.sentences import LIVE, bottleneck_sentence, control_sentence, resource_name

if TYPE_CHECKING:
    from core.service import Service


def show_headline(service: Service, run: RunView) -> None:
    """Wall time, time saved, concurrency, first and median result, retries, and the bottleneck in a sentence."""
    measures = service.measures(run.id)
    wall = run.wall_s
    saved = _number(measures, "time_saved_s")
    with st.grid(6, min_column_width=130, gap="small", border=True):
        st.metric(t("kpi.wall"), seconds(wall))
        st.metric(t("kpi.saved"), seconds(saved), help=t("kpi.saved_help"))
        st.metric(
            t("kpi.speedup"),
            t("unit.times", n=rate((saved + wall) / wall)) if saved and wall else None,
            help=t("kpi.speedup_help"),
        )
        st.metric(t("kpi.first"), seconds(_number(measures, "first_result_s")))
        st.metric(t("kpi.median"), seconds(_number(measures, "median_result_s")))
        st.metric(
            t("kpi.retries"),
            count(_number(measures, "retries")),
            help=t("kpi.limited", n=count(_number(measures, "rate_limited"))),
        )
    st.text(bottleneck_sentence(service.snapshot(run.id).bottleneck))


def _number(measures: Mapping[str, Any], name: str) -> float | None:
    value = measures.get(name)
    return float(value) if isinstance(value, int | float) else None


def show_latency(service: Service, run: RunView, stats: tuple[StageStats, ...]) -> None:
    """Quantiles per stage as a chart and as a table."""
    titles = stage_titles(service, run.workload)
    show_figure(
        "chart.latency", charts.latency(stats, titles, palette(), axis=t("chart.seconds_log")), live=run.status in LIVE
    )
    show_stages(service, run.workload, stats)


def show_flow(service: Service, run: RunView) -> None:
    """In flight under the limit with the operator's changes; calls per second."""
    start = run.started_at or run.created_at
    marks = [
        charts.Mark((c.applied_at or c.at) - start, f"{c.who}: {control_sentence(c)}") for c in service.controls(run.id)
    ]
    names = {r: resource_name(r) for r in ("search", "llm")}
    used = resources(service, run.workload)
    samples = [s for s in service.samples(run.id) if s.resource in used]
    words = {k: t(f"legend.{k}") for k in ("in_flight", "limit", "waiting", "time")}
    show_figure("chart.in_flight", charts.in_flight(samples, marks, names, words, palette()), live=run.status in LIVE)
    titles = stage_titles(service, run.workload)
    buckets, axis = service.buckets(run.id), t("chart.calls_s")
    figure = charts.throughput(buckets, titles, palette(), axis=axis, time=words["time"], until=run.wall_s)
    show_figure("chart.throughput", figure, live=run.status in LIVE)


def show_timeline(service: Service, run: RunView) -> None:
    """The requests of one item; the item is found by search, so that thousands need no list."""
    with st.container(border=True, gap="small"):
        st.subheader(t("chart.timeline.title"), anchor=False)
        _timeline(service, run, _pick(service, run))


def _timeline(service: Service, run: RunView, item: ItemView | None) -> None:
    attempts = service.timeline(run.id, item.id) if item else []
    if item is None or not attempts:
        show_empty("empty.timeline", ":material/view_timeline:")
        return
    workload = next((w for w in service.workloads() if w.id == run.workload), None)
    rows = charts.Rows(stage_titles(service, run.workload), part_titles(workload, item))
    words = {"waiting": t("legend.turn"), "time": t("chart.since_item")}
    figure = charts.timeline(attempts, rows, words, palette())
    st.caption(t("chart.timeline.note"))
    st.plotly_chart(figure, theme=None, key="timeline", config={"displayModeBar": False}, alt=t("chart.timeline.title"))


def _pick(service: Service, run: RunView) -> ItemView | None:
    find, choose = st.columns([2, 3])
    search = find.text_input(
        t("pick.search"),
        key=f"timeline-search-{run.id}",
        type="search",
        icon=":material/search:",
        placeholder=t("browse.search_like"),
        label_visibility="collapsed",
    )
    rows = service.run_items(run.id, search=search or "", limit=50).rows
    return choose.selectbox(
        t("chart.timeline.title"),
        rows,
        format_func=lambda r: f"{r.name} · {r.id}",
        key=f"timeline-{run.id}",
        label_visibility="collapsed",
        placeholder=t("pick.none_found"),
    )
