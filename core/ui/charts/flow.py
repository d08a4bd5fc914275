"""A run over time: requests in flight under their limit, and calls finished per second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.base.views import Bucket, GateSample
from core.ui.charts.style import Palette, figure, slice_end, style
from core.ui.safe import chart

SHORTEST = 1.0  # seconds a rate is told over: a slice that has just begun would tell anything


@dataclass(frozen=True, slots=True)
class Mark:
    """Something the operator did: seconds since the run's start, and what."""

    t: float
    text: str


def in_flight(
    samples: Sequence[GateSample],
    marks: Sequence[Mark],
    names: Mapping[str, str],
    words: Mapping[str, str],
    palette: Palette,
) -> go.Figure:
    """One row for each gate: in flight as an area, the limit as steps; the operator's hand as marks.

    Waiters are dotted and have the axis on the right, because a long queue would flatten what is in flight. What is in
    flight is the average since the sample before, so that short requests show between samples.
    words: `in_flight`, `limit`, `waiting` for the legend and `time` for the axis.
    """
    gates = sorted({s.resource for s in samples}, reverse=True)  # search before model calls, as they happen
    rows = max(1, len(gates))
    titles = [chart(names.get(g, g)) for g in gates]
    axes = [[{"secondary_y": True}] for _ in range(rows)]
    fig = make_subplots(rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.13, subplot_titles=titles, specs=axes)
    style(fig, palette, height=70 + 180 * rows)
    for row, gate in enumerate(gates, 1):
        told = [s for s in samples if s.resource == gate]
        for name, trace in _gate(told, words, palette, palette.stages[(row - 1) % 2], first=row == 1).items():
            fig.add_trace(trace, row=row, col=1, secondary_y=name == "waiting")
        _scale(fig, told, row)
    _marks(fig, marks, palette, rows)
    fig.update_annotations(font={"size": 12, "color": palette.muted})
    fig.update_layout(hovermode="x unified", margin={"t": 56})
    fig.update_layout(legend={"y": 1.07})
    fig.update_yaxes(nticks=5, tickmode="auto", tickformat=",d")
    fig.update_yaxes(secondary_y=True, showgrid=False, title_text=words["waiting"])
    fig.update_xaxes(range=[0, max((s.t for s in samples), default=1.0)])
    fig.update_xaxes(title_text=words["time"], row=rows, col=1)
    return fig


def _gate(
    samples: Sequence[GateSample], words: Mapping[str, str], palette: Palette, color: str, *, first: bool
) -> dict[str, go.Scatter]:
    """Area, limit and waiters of one gate from the start on; only the first gate's are in the legend."""
    lines = {
        "in_flight": {"color": color, "width": 1.5, "shape": "vh"},
        "limit": {"color": palette.text, "width": 1.5, "shape": "hv", "dash": "dash"},
        "waiting": {"color": palette.muted, "width": 1, "dash": "dot"},
    }
    at = [0.0, *(s.t for s in samples)]
    traces = {
        name: go.Scatter(x=at, y=values, name=words[name], mode="lines", line=lines[name], hovertemplate="%{y:.3~g}")
        for name, values in _series(samples).items()
    }
    for name, trace in traces.items():
        trace.update(legendgroup=name, showlegend=first)
    traces["in_flight"].update(fill="tozeroy", fillcolor=_faint(color))
    return traces


def _scale(fig: go.Figure, samples: Sequence[GateSample], row: int) -> None:
    """Both axes of a gate begin at zero and leave a little room on top."""
    most = max((max(s.limit, s.in_flight_avg) for s in samples), default=1.0)
    queue = max((s.waiting for s in samples), default=0)
    fig.update_yaxes(range=[0, 1.08 * max(1.0, most)], row=row, col=1, secondary_y=False)
    fig.update_yaxes(range=[0, 1.08 * max(4, queue)], row=row, col=1, secondary_y=True)


def _series(samples: Sequence[GateSample]) -> dict[str, list[float]]:
    """In flight, limit and waiters with a value for the start, when nobody waited yet."""
    used, limits = [s.in_flight_avg for s in samples], [float(s.limit) for s in samples]
    waiting = [float(s.waiting) for s in samples]
    return {"in_flight": [*used[:1], *used], "limit": [*limits[:1], *limits], "waiting": [0.0, *waiting]}


def _faint(color: str) -> str:
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _marks(fig: go.Figure, marks: Sequence[Mark], palette: Palette, rows: int) -> None:
    """A thin line through all rows for each mark, numbered; its words are in the hover of the number."""
    if not marks:
        return
    for mark in marks:
        fig.add_vline(x=mark.t, line={"color": palette.mark, "width": 1, "dash": "dot"})
    fig.add_trace(
        go.Scatter(
            x=[m.t for m in marks],
            y=[0] * len(marks),
            mode="markers",
            marker={"symbol": "triangle-up", "size": 11, "color": palette.mark},
            text=[chart(m.text, 90) for m in marks],
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
        ),
        row=rows,
        col=1,
    )


def throughput(
    buckets: Sequence[Bucket],
    titles: Mapping[str, str],
    palette: Palette,
    *,
    axis: str,
    time: str,
    until: float | None = None,
) -> go.Figure:
    """Finished calls per second, stacked by stage; the last slice ends `until` seconds after the start."""
    fig = figure(palette, height=260)
    order = list(titles) or list(dict.fromkeys(b.stage for b in buckets))
    widths = {b.t: slice_end(b, until) - b.t for b in buckets}
    for stage in order:
        told = _per_second(buckets, stage, widths)
        if told:
            fig.add_trace(
                go.Bar(
                    offset=0,
                    width=[0.94 * widths[at] for at in told],
                    x=list(told),
                    y=list(told.values()),
                    name=chart(titles.get(stage, stage)),
                    marker={"color": palette.stage(order, stage), "line": {"width": 0}},
                    hovertemplate="%{y:.1f}/s<extra>%{fullData.name}</extra>",
                )
            )
    fig.update_layout(barmode="stack", hovermode="x unified", legend={"traceorder": "normal"})
    fig.update_xaxes(title_text=time, rangemode="nonnegative")
    fig.update_yaxes(title_text=axis, rangemode="tozero")
    return fig


def _per_second(buckets: Sequence[Bucket], stage: str, widths: Mapping[float, float]) -> dict[float, float]:
    rates: dict[float, float] = {}
    for bucket in buckets:
        if bucket.stage == stage:
            rates[bucket.t] = rates.get(bucket.t, 0.0) + bucket.ok / max(SHORTEST, widths[bucket.t])
    return rates
