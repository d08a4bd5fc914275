"""Latency quantiles per stage and model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log10

import plotly.graph_objects as go

from core.base.views import StageStats
from core.ui.charts.style import Palette, figure
from core.ui.safe import chart


def latency(stats: Sequence[StageStats], titles: Mapping[str, str], palette: Palette, *, axis: str) -> go.Figure:
    """A line from p50 to p99 for each stage and model, with a point at p50, p95 and p99; seconds on a log axis."""
    known = [s for s in stats if s.p50_s is not None]
    fig = figure(palette, height=60 + 44 * max(1, len(known)), legend=False)
    for stat in reversed(known):
        _row(fig, stat, titles, palette)
    ticks = _ticks([q for s in known for q in (s.p50_s, s.p95_s, s.p99_s) if q])
    fig.update_xaxes(title_text=axis, type="log", showgrid=True, gridcolor=palette.grid)
    fig.update_xaxes(
        tickvals=ticks, ticktext=[f"{v:g} s" for v in ticks], range=[log10(ticks[0]) - 0.02, log10(ticks[-1]) + 0.03]
    )
    fig.update_yaxes(showgrid=False, range=[-0.5, max(1, len(known)) - 0.3], tickfont={"color": palette.text})
    return fig


def _ticks(values: Sequence[float]) -> list[float]:
    """1-2-5 steps from below the smallest value to above the largest."""
    low, high = min(values, default=0.1), max(values, default=1.0)
    steps = [base * 10.0**power for power in range(-5, 6) for base in (1, 2, 5)]
    first = max((v for v in steps if v < low), default=steps[0])
    last = min((v for v in steps if v > high), default=steps[-1])
    return [v for v in steps if first <= v <= last]


def _row(fig: go.Figure, stat: StageStats, titles: Mapping[str, str], palette: Palette) -> None:
    name = row_name(stat, titles)
    color = palette.stage(list(titles), stat.stage)
    points = [("p50", stat.p50_s), ("p95", stat.p95_s), ("p99", stat.p99_s)]
    told = [(q, v) for q, v in points if v is not None]
    fig.add_trace(
        go.Scatter(
            x=[v for _, v in told],
            y=[name] * len(told),
            mode="lines+markers+text",
            text=[q for q, _ in told],
            textposition=["top center", "bottom center", "top center"][: len(told)],
            textfont={"size": 10, "color": palette.muted},
            line={"color": color, "width": 3},
            marker={
                "size": [13, 10, 8][: len(told)],
                "color": color,
                "symbol": ["circle", "diamond", "square"][: len(told)],
            },
            hovertemplate="%{y}<br>%{text}: %{x:.3f} s<extra></extra>",
        )
    )


def row_name(stat: StageStats, titles: Mapping[str, str]) -> str:
    """`Aspect summary · model`, safe for a chart."""
    title = chart(titles.get(stat.stage, stat.stage))
    return f"{title} · {chart(stat.model, 28)}" if stat.model else title
