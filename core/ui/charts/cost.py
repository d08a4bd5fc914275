"""Where the money goes: by stage and model, and over time. What has no price is left out, never drawn as zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import plotly.graph_objects as go

from core.base.views import Bucket, StageStats
from core.ui.charts.latency import row_name
from core.ui.charts.style import Palette, figure, slice_end

FEW = 40  # points up to which each has a marker


def cost_by_stage(stats: Sequence[StageStats], titles: Mapping[str, str], palette: Palette, *, axis: str) -> go.Figure:
    """One bar for each priced (stage, model), dearest on top."""
    models = [s for s in stats if s.resource == "llm"]
    priced = sorted(((s.cost_usd, s) for s in models if s.cost_usd is not None), key=lambda p: p[0])
    fig = figure(palette, height=64 + 42 * max(1, len(priced)), legend=False)
    fig.add_trace(
        go.Bar(
            orientation="h",
            x=[float(c) for c, _ in priced],
            y=[row_name(s, titles) for _, s in priced],
            marker={"color": [palette.stage(list(titles), s.stage) for _, s in priced], "line": {"width": 0}},
            text=[f"${c:,.4f}" for c, _ in priced],
            textposition="auto",
            hovertemplate="%{y}: %{x:$,.4f}<extra></extra>",
        )
    )
    fig.update_xaxes(title_text=axis, tickprefix="$", showgrid=True, gridcolor=palette.grid, rangemode="tozero")
    fig.update_yaxes(showgrid=False, tickfont={"color": palette.text})
    return fig


def cost_over_time(
    buckets: Sequence[Bucket], palette: Palette, *, axis: str, time: str, until: float | None = None
) -> go.Figure:
    """What had been spent by then, from nothing at the start; the last slice ends `until` seconds after it."""
    fig = figure(palette, height=240, legend=False)
    at, spent = _spent(buckets, until)
    fig.add_trace(
        go.Scatter(
            x=at,
            y=spent,
            mode="lines+markers" if len(at) <= FEW else "lines",
            line={"color": palette.stages[1], "width": 2},
            marker={"size": 6},
            fill="tozeroy",
            fillcolor="rgba(90,150,220,0.14)",
            hovertemplate="%{x:.0f} s: %{y:$,.4f}<extra></extra>",
        )
    )
    fig.update_xaxes(title_text=time, ticksuffix=" s", range=[0, 1.03 * at[-1] or 1])
    fig.update_yaxes(title_text=axis, tickprefix="$", rangemode="tozero")
    return fig


def _spent(buckets: Sequence[Bucket], until: float | None) -> tuple[list[float], list[float]]:
    """The sum at the end of every slice; the last slice ends with the run."""
    total = Decimal(0)
    by_end: dict[float, float] = {0.0: 0.0}
    for bucket in sorted(buckets, key=lambda b: b.t):
        total += bucket.cost_usd or 0
        by_end[slice_end(bucket, until)] = float(total)
    return list(by_end), list(by_end.values())
