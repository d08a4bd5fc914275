"""A run over time on one axis: requests in flight under their limit, calls finished per second, the 95th percentile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.base.views import Bucket, GateSample
from core.ui.charts.style import Palette, slice_end, style
from core.ui.safe import chart

SHORTEST = 1.0  # seconds a rate is told over: a slice that has just begun would tell anything
ROW = 150  # pixels


@dataclass(frozen=True, slots=True)
class Mark:
    """A change of a limit or a command: seconds since the run's start, what, and whether an algorithm did it."""

    t: float
    text: str
    auto: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """What there is to draw. until: where the last slice ends, seconds since the start."""

    samples: Sequence[GateSample]
    buckets: Sequence[Bucket]
    marks: Sequence[Mark] = ()
    until: float | None = None


def over_time(
    flow: Flow, names: Mapping[str, str], titles: Mapping[str, str], words: Mapping[str, str], palette: Palette
) -> go.Figure:
    """One row for each gate (in flight as an area, the limit as steps), then calls per second by stage, then their p95;
    changes are marks through all rows.

    Waiters are dotted and have the axis on the right, because a long queue would flatten what is in flight. What is in
    flight is the average since the sample before, so that short requests show between samples.
    names: of the gates; titles: of the stages in their order; words: `in_flight`, `limit`, `waiting` for the legend,
    `time`, `calls_s` and `p95` for the axes, `by_hand` and `auto` for the marks.
    """
    gates = sorted({s.resource for s in flow.samples}, reverse=True)  # search before model calls, as they happen
    fig = _rows([*(names.get(g, g) for g in gates), words["calls_s"], words["p95"]], palette)
    for row, gate in enumerate(gates, 1):
        told = [s for s in flow.samples if s.resource == gate]
        for name, trace in _gate(told, words, palette, palette.stages[(row - 1) % 2], first=row == 1).items():
            fig.add_trace(trace, row=row, col=1, secondary_y=name == "waiting")
        _scale(fig, told, row)
    _stages(fig, flow, titles, palette, len(gates) + 1)
    _marks(fig, flow.marks, words, palette, len(gates) + 2)
    end = max([flow.until or 0.0, *(s.t for s in flow.samples)])
    fig.update_xaxes(range=[0, max(1.0, end)])
    fig.update_xaxes(title_text=words["time"], row=len(gates) + 2, col=1)
    return fig


def _rows(titles: Sequence[str], palette: Palette) -> go.Figure:
    """Empty rows over one time axis."""
    count = len(titles)
    axes = [[{"secondary_y": True}] for _ in titles]
    gap = 0.36 / count
    fig = make_subplots(
        rows=count, cols=1, shared_xaxes=True, vertical_spacing=gap, subplot_titles=list(map(chart, titles)), specs=axes
    )
    style(fig, palette, height=70 + ROW * count)
    fig.update_annotations(font={"size": 12, "color": palette.muted})
    fig.update_layout(hovermode="x unified", margin={"t": 72}, barmode="stack", legend={"y": 1.0 + 36 / (ROW * count)})
    fig.update_yaxes(nticks=5, tickmode="auto", tickformat=",~g", rangemode="tozero")
    fig.update_yaxes(secondary_y=True, showgrid=False)
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


def _stages(fig: go.Figure, flow: Flow, titles: Mapping[str, str], palette: Palette, row: int) -> None:
    """Finished calls per second stacked by stage in one row, their p95 as lines in the next."""
    order = list(titles) or list(dict.fromkeys(b.stage for b in flow.buckets))
    widths = {b.t: slice_end(b, flow.until) - b.t for b in flow.buckets}
    for stage in order:
        mine = [b for b in flow.buckets if b.stage == stage]
        if not mine:
            continue
        look = {"name": chart(titles.get(stage, stage)), "legendgroup": stage}
        color = palette.stage(order, stage)
        fig.add_trace(_rate_bars(mine, widths, color, look), row=row, col=1)
        fig.add_trace(_tail_line(mine, widths, color, look), row=row + 1, col=1)


def _rate_bars(buckets: Sequence[Bucket], widths: Mapping[float, float], color: str, look: Mapping[str, str]) -> go.Bar:
    told = _per_second(buckets, widths)
    return go.Bar(
        offset=0,
        width=[0.94 * widths[at] for at in told],
        x=list(told),
        y=list(told.values()),
        marker={"color": color, "line": {"width": 0}},
        hovertemplate="%{y:.1f}/s<extra>%{fullData.name}</extra>",
        **look,
    )


def _tail_line(
    buckets: Sequence[Bucket], widths: Mapping[float, float], color: str, look: Mapping[str, str]
) -> go.Scatter:
    told = sorted((b.t + widths[b.t] / 2, b.p95_s) for b in buckets if b.p95_s is not None)
    return go.Scatter(
        x=[at for at, _ in told],
        y=[p95 for _, p95 in told],
        mode="lines+markers" if len(told) < 3 else "lines",
        line={"color": color, "width": 1.8},
        hovertemplate="p95 %{y:.3~g} s<extra>%{fullData.name}</extra>",
        showlegend=False,
        **look,
    )


def _per_second(buckets: Sequence[Bucket], widths: Mapping[float, float]) -> dict[float, float]:
    rates: dict[float, float] = {}
    for bucket in buckets:
        rates[bucket.t] = rates.get(bucket.t, 0.0) + bucket.ok / max(SHORTEST, widths[bucket.t])
    return rates


def _marks(fig: go.Figure, marks: Sequence[Mark], words: Mapping[str, str], palette: Palette, rows: int) -> None:
    """A thin line through all rows for each mark, and a triangle whose hover has its words: the operator's filled, the
    algorithm's open."""
    for mark in marks:
        fig.add_vline(x=mark.t, line={"color": palette.mark, "width": 1, "dash": "dot"}, opacity=0.6)
    for auto, name, symbol in ((False, "by_hand", "triangle-up"), (True, "auto", "triangle-up-open")):
        mine = [mark for mark in marks if mark.auto == auto]
        if not mine:
            continue
        fig.add_trace(
            go.Scatter(
                x=[m.t for m in mine],
                y=[0] * len(mine),
                mode="markers",
                name=words[name],
                marker={"symbol": symbol, "size": 11, "color": palette.mark},
                text=[chart(m.text, 140) for m in mine],
                hovertemplate="%{text}<extra></extra>",
            ),
            row=rows,
            col=1,
        )
