"""A sweep in view: how far it is, its frontier as a chart and a table, what follows, and the button that uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from core.base.errors import BrigadeError
from core.base.records import RunStatus
from core.base.views import SweepPoint, SweepView
from core.tuning.sweep import Frontier, frontier
from core.ui import charts
from core.ui.components.columns import numbers, texts
from core.ui.components.figures import palette
from core.ui.components.problem import later, show_empty, show_problem
from core.ui.components.runs import view_run, workload_title
from core.ui.components.tune_view import sweep_name
from core.ui.language import t
from core.ui.numbers import DASH, count, moment, money, rate, seconds
from core.ui.sentences import LIVE, STATUS_LOOK, resource_name, said

if TYPE_CHECKING:
    from core.service import Service
    from core.ui.frame import Desk

VERDICT_COLORS = {"knee": "green", "slo": "green", "growing": "blue", "held": "blue", "unmet": "orange"}


def show_sweep(desk: Desk, sweep: SweepView, others: Sequence[SweepView]) -> None:
    """On a timer while it measures, once otherwise."""
    if sweep.status in LIVE or sweep.status == RunStatus.PAUSED:
        _ticking(desk, sweep, others)
    else:
        _draw(desk, sweep, others)


@st.fragment(run_every=1.0)
def _ticking(desk: Desk, sweep: SweepView, others: Sequence[SweepView]) -> None:
    """One tick; a change of status redraws the whole page."""
    try:
        now = desk.service.sweep(sweep.id)
    except BrigadeError as exc:
        show_problem("problem.snapshot", exc)
        return
    _draw(desk, now, others, live=True)
    if now.status != sweep.status:
        st.rerun(scope="app")


def _draw(desk: Desk, sweep: SweepView, others: Sequence[SweepView], *, live: bool = False) -> None:
    found = frontier(sweep.points, sweep.slo_p95_s)
    _head(desk, sweep, found)
    if not sweep.points:
        show_empty("empty.points" if live else "empty.no_points", ":material/speed:")
        return
    _chart([sweep, *others])
    _table(found)
    if others:
        _comparison([sweep, *others])


def _chart(sweeps: Sequence[SweepView]) -> None:
    """The frontiers of all of them; the target is that of the one in view, the first."""
    series = [charts.Series(sweep_name(s), _decided(s)) for s in sweeps]
    words = {name: t(f"frontier.{name}") for name in ("p95", "calls_s", "knee", "fit", "slo", "limit")}
    fig = charts.frontier(series, words, palette(), slo_p95_s=sweeps[0].slo_p95_s)
    with st.container(border=True, gap="xsmall"):
        st.subheader(t("chart.frontier.title"), anchor=False)
        st.caption(t("chart.frontier.note"))
        st.plotly_chart(
            fig, theme=None, key="frontier", config={"displayModeBar": False}, alt=t("chart.frontier.title")
        )


def _decided(sweep: SweepView) -> Frontier:
    """The sweep's frontier; while it measures, without a limit to use."""
    found = frontier(sweep.points, sweep.slo_p95_s)
    return replace(found, knee=None) if sweep.status in LIVE else found


def _head(desk: Desk, sweep: SweepView, found: Frontier) -> None:
    """Status, what was measured where, what follows, and what can be done with it."""
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            _title(desk.service, sweep)
            _buttons(desk, sweep, found)
        if sweep.status in LIVE:
            _progress(sweep)
        _trouble(sweep)
        _verdict(sweep, found)


def _trouble(sweep: SweepView) -> None:
    """Why it stands still, or ended before its schedule was through."""
    if sweep.status == RunStatus.PAUSED:
        st.warning(t("tune.paused"), icon=":material/warning:")
        st.text(said(sweep.reason))
    elif sweep.outcome == "short":
        st.warning(t("tune.short"), icon=":material/warning:")
        st.text(said(sweep.why or sweep.reason))


def _title(service: Service, sweep: SweepView) -> None:
    color, icon = STATUS_LOOK[sweep.status]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
        st.badge(t(f"status.{sweep.status}"), color=color, icon=icon)  # type: ignore[arg-type]  # a literal type of colours
        st.text(f"{workload_title(service, sweep.workload)} · {resource_name(sweep.resource)}")
        st.text(" · ".join(word for word in (sweep.endpoint, sweep.model, sweep.server, sweep.url) if word))
        st.caption(t("live.started", time=moment(sweep.at)), width="content")


def _progress(sweep: SweepView) -> None:
    """How many of a grid's limits are measured; a sweep that finds them itself says how many so far."""
    done = len({p.limit for p in sweep.points})
    if sweep.limits:
        told = t("tune.progress", done=count(done), all=count(len(sweep.limits)))
        st.progress(min(1.0, done / len(sweep.limits)), text=told)
    else:
        st.caption(t("tune.progress_auto", done=count(done)))


def _verdict(sweep: SweepView, found: Frontier) -> None:
    if found.knee is None or sweep.status in LIVE or sweep.status == RunStatus.PAUSED:
        return
    verdict = "held" if found.verdict == "growing" and sweep.why else found.verdict
    told = t(
        f"verdict.{verdict}",
        knee=count(found.knee),
        rate=rate(found.at_knee),
        best=rate(found.best),
        p95=seconds(found.p95_s),
        slo=seconds(sweep.slo_p95_s),
    )
    with st.container(gap="xsmall"):
        st.badge(t(f"verdict_name.{verdict}"), color=VERDICT_COLORS[verdict], icon=":material/target:")  # type: ignore[arg-type]  # a literal type of colours
        st.text(told)


def _buttons(desk: Desk, sweep: SweepView, found: Frontier) -> None:
    off = not desk.person.operates
    with st.container(horizontal=True, gap="small", width="content"):
        if sweep.status in LIVE or sweep.status == RunStatus.PAUSED:
            st.button(
                t("tune.stop"),
                key="sweep_stop",
                icon=":material/stop:",
                disabled=off,
                on_click=_stop,
                args=(desk, sweep),
            )
        elif found.knee is not None:
            st.button(
                t("tune.apply", knee=count(found.knee)),
                key="sweep_apply",
                type="primary",
                icon=":material/check:",
                disabled=off,
                on_click=_apply,
                args=(desk, sweep),
                help=t("tune.apply_help"),
            )
        if st.button(t("tune.open_run"), key="sweep_run", icon=":material/open_in_new:", type="tertiary"):
            view_run(sweep.id)
            st.switch_page("pages/run.py", query_params={"run": sweep.id})


def _stop(desk: Desk, sweep: SweepView) -> None:
    if not desk.person.operates:
        return
    try:
        desk.service.control(sweep.id, "cancel", who=desk.person.name)
    except BrigadeError as exc:
        later("problem.control", exc)
    else:
        st.toast(t("sent.cancel"), icon=":material/send:")


def _apply(desk: Desk, sweep: SweepView) -> None:
    """The knee becomes the limit of the run in progress, or the default of the next one."""
    if not desk.person.operates:
        return
    try:
        applied = desk.service.apply_sweep(sweep.id, who=desk.person.name)
    except BrigadeError as exc:
        later("problem.control", exc)
    else:
        st.toast(t("tune.applied_runs" if applied else "tune.applied_default", runs=", ".join(applied)))


def _table(found: Frontier) -> None:
    st.dataframe(
        [_row(p) for p in found.points],
        hide_index=True,
        height="content",
        column_config=numbers("limit", "rate_limited", "failed", width=48)
        | numbers("samples", width=62)
        | texts("calls_s", "p50", "p95", "mean", right=True, width=57)
        | texts("tokens_s", "error_2s", right=True, width=66)
        | texts("cost_item", right=True, width=92),
        alt=t("chart.frontier.title"),
        key="frontier_table",
    )


def _row(point: SweepPoint) -> dict[str, object]:
    return {
        "limit": point.limit,
        "calls_s": rate(point.calls_per_s),
        "tokens_s": rate(point.tokens_per_s) if point.tokens else DASH,
        "error_2s": f"± {200 * point.error:.1f}%",
        "p50": seconds(point.p50_s),
        "p95": seconds(point.p95_s),
        "mean": seconds(point.latency_s),
        "samples": point.samples,
        "rate_limited": point.rate_limited,
        "failed": point.failed,
        "cost_item": DASH if point.cost_item_usd is None else money(point.cost_item_usd),
    }


def _comparison(sweeps: Sequence[SweepView]) -> None:
    """One line for each sweep drawn: server, model, day, knee and what it gives there."""
    st.subheader(t("tune.comparison"), anchor=False)
    st.dataframe(
        [_line(s, frontier(s.points, s.slo_p95_s)) for s in sweeps],
        hide_index=True,
        height="content",
        column_config=texts("at", "server", "model") | texts("knee", "calls_s", "best", "p95", right=True, width=62),
        alt=t("tune.comparison"),
        key="sweep_comparison",
    )


def _line(sweep: SweepView, found: Frontier) -> dict[str, object]:
    return {
        "at": moment(sweep.at),
        "server": f"{sweep.endpoint} ({sweep.server})",
        "model": sweep.model,
        "knee": count(found.knee),
        "calls_s": rate(found.at_knee),
        "best": rate(found.best),
        "p95": seconds(found.p95_s),
    }
