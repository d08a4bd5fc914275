"""What a whole run measured: the headline numbers and its charts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.base.tuning_views import TimeSaved
from core.base.views import ItemView, RunView, StageStats
from core.pipeline.sizing import AUTO
from core.ui import charts
from core.ui.components.changes import change_words
from core.ui.components.figures import palette, show_figure
from core.ui.components.parts import part_titles
from core.ui.components.problem import show_empty
from core.ui.components.stages import resources, show_stages, stage_titles
from core.ui.language import t
from core.ui.numbers import count, rate, seconds
from core.ui.sentences import LIVE, control_sentence, resource_name

if TYPE_CHECKING:
    from core.service import Service

MOST_MARKS = 80
WORDS = ("in_flight", "limit", "waiting", "time", "calls_s", "p95", "by_hand", "auto")


def show_headline(service: Service, run: RunView) -> None:
    """Wall time, time saved, concurrency, first and median result, retries, and the bottleneck in a sentence."""
    measures = service.measures(run.id)
    wall = run.wall_s
    saved = _number(measures, "time_saved_s")
    with st.grid(3, min_column_width=148, gap="small", border=True):
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
    side_by_side = service.time_saved(run.id)
    low, _, high = side_by_side.saved_s
    st.caption(t("saved.spread", low=seconds(low), high=seconds(high), flight=_in_flight(side_by_side)))


def _in_flight(saved: TimeSaved) -> str:
    """How many calls were in flight, on average and at most."""
    return ", ".join(
        t("saved.in_flight", name=resource_name(r), mean=rate(saved.in_flight_mean.get(r, 0.0)), peak=count(peak))
        for r, peak in saved.in_flight_peak.items()
        if peak
    )


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
    """In flight, throughput and p95 on one time axis, with every change of a limit and every command as a mark."""
    used = resources(service, run.workload)
    samples = [s for s in service.samples(run.id) if s.resource in used]
    flow = charts.Flow(samples, service.buckets(run.id), _marks(service, run), until=run.wall_s)
    words = {name: t(f"legend.{name}") for name in WORDS}
    names = {resource: resource_name(resource) for resource in ("search", "llm")}
    figure = charts.over_time(flow, names, stage_titles(service, run.workload), words, palette())
    show_figure("chart.over_time", figure, live=run.status in LIVE)


def _marks(service: Service, run: RunView) -> list[charts.Mark]:
    """The newest changes of limits and, beside those, what else people asked for."""
    start = run.started_at or run.created_at
    changes = service.limit_changes(run.id)
    marks = [
        charts.Mark(c.t, f"{c.who}: {change_words(c.resource, c.endpoint, c.old, c.new)}. {c.reason}", c.who == AUTO)
        for c in changes
        if c.t > 0 or c.old != c.new
    ]
    commands = [c for c in service.controls(run.id) if not (changes and c.action.endswith("_limit"))]
    marks += [charts.Mark((c.applied_at or c.at) - start, f"{c.who}: {control_sentence(c)}") for c in commands]
    return sorted(marks, key=lambda mark: mark.t)[-MOST_MARKS:]


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
