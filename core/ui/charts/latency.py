"""Latency quantiles per stage and model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log10

import plotly.graph_objects as go

from core.base.views import StageStats
from core.ui.charts.style import Palette, figure
from core.ui.safe import chart

# name, symbol, size and where the value stands
POINTS = (
    ("p50", "circle", 13, "top left"),
    ("p95", "diamond", 10, "bottom center"),
    ("p99", "square", 8, "top right"),
)


def latency(stats: Sequence[StageStats], titles: Mapping[str, str], palette: Palette, *, axis: str) -> go.Figure:
    """A line from p50 to p99 for each stage and model, with a point at p50, p95 and p99; seconds on a log axis.

    Values stand to the left of p50, under p95 and to the right of p99, so that close ones don't cover each other.
    """
    known = [s for s in stats if s.p50_s is not None]
    fig = figure(palette, height=90 + 50 * max(1, len(known)))
    for stat in reversed(known):
        _row(fig, stat, titles, palette)
    for name, symbol, size, _ in POINTS:
        _legend(fig, name, symbol, size, palette)
    ticks = _ticks([q for s in known for q in (s.p50_s, s.p95_s, s.p99_s) if q])
    fig.update_xaxes(title_text=axis, type="log", showgrid=True, gridcolor=palette.grid)
    fig.update_xaxes(tickvals=ticks, ticktext=[f"{v:g} s" for v in ticks], range=_range(known), tickangle=0)
    fig.update_yaxes(showgrid=False, range=[-0.5, max(1, len(known)) - 0.3], tickfont={"color": palette.text})
    return fig


def _range(stats: Sequence[StageStats]) -> list[float]:
    """Of the logarithmic axis, with room for the values beside the outermost points."""
    told = [log10(q) for s in stats for q in (s.p50_s, s.p95_s, s.p99_s) if q]
    low, high = min(told, default=-1.0), max(told, default=0.0)
    room = 0.15 * max(0.3, high - low)
    return [low - room, high + room]


def _ticks(values: Sequence[float]) -> list[float]:
    """1-2-5 steps from below the smallest value to above the largest; powers of ten where that would be too many."""
    low, high = min(values, default=0.1), max(values, default=1.0)
    bases = (1, 2, 5) if high < 20 * low else (1,)
    steps = [base * 10.0**power for power in range(-5, 6) for base in bases]
    first = max((v for v in steps if v < low), default=steps[0])
    last = min((v for v in steps if v > high), default=steps[-1])
    return [v for v in steps if first <= v <= last]


def _row(fig: go.Figure, stat: StageStats, titles: Mapping[str, str], palette: Palette) -> None:
    name = row_name(stat, titles)
    color = palette.stage(list(titles), stat.stage)
    values = (stat.p50_s, stat.p95_s, stat.p99_s)
    told = [(point, v) for point, v in zip(POINTS, values, strict=True) if v is not None]
    fig.add_trace(
        go.Scatter(
            x=[v for _, v in told],
            y=[name] * len(told),
            mode="lines+markers+text",
            text=[_short(v) for _, v in told],
            customdata=[p[0] for p, _ in told],
            textposition=[p[3] for p, _ in told],
            textfont={"size": 11, "color": palette.muted},
            line={"color": color, "width": 3},
            marker={"size": [p[2] for p, _ in told], "color": color, "symbol": [p[1] for p, _ in told]},
            hovertemplate="%{y}<br>%{customdata}: %{x:.3f} s<extra></extra>",
            showlegend=False,
            cliponaxis=False,
        )
    )


def _short(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.3g} s"


def _legend(fig: go.Figure, name: str, symbol: str, size: int, palette: Palette) -> None:
    """What a symbol stands for, as an entry of the legend without a point."""
    marker = {"symbol": symbol, "size": size, "color": palette.muted}
    fig.add_trace(go.Scatter(x=[None], y=[None], mode="markers", name=name, marker=marker, hoverinfo="skip"))


def row_name(stat: StageStats, titles: Mapping[str, str]) -> str:
    """The stage and under it its model, safe for a chart."""
    title = chart(titles.get(stat.stage, stat.stage))
    return f"{title}<br>{chart(stat.model, 28)}" if stat.model else title
