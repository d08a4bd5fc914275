"""Throughput against latency at several limits: points with their errors, the fitted curve, the knee, the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from core.base.views import SweepPoint
from core.tuning.sweep import Frontier
from core.ui.charts.style import Palette, figure
from core.ui.safe import chart

SIGMAS = 2.0  # error bars: nineteen of twenty lie within
STEPS = 60
ROOM = 1.12


@dataclass(frozen=True, slots=True)
class Series:
    """One sweep in the chart; the first is the one in view, the others are drawn for comparison."""

    name: str
    found: Frontier


def frontier(
    series: Sequence[Series], words: Mapping[str, str], palette: Palette, *, slo_p95_s: float | None = None
) -> go.Figure:
    """p95 to the right, calls a second upwards; every point says its limit.

    words: `p95` and `calls_s` for the axes, `knee`, `fit` and `slo` for the legend, `limit` for the hover.
    """
    fig = figure(palette, height=430)
    for place, one in enumerate(series):
        color = palette.stages[place % len(palette.stages)]
        _fit(fig, one, words, color, first=place == 0)
        _points(fig, one, words, color, palette)
    for one in series:
        _knee(fig, one.found, words, palette, first=one is series[0])
    if slo_p95_s is not None:
        _target(fig, slo_p95_s, words, palette)
    far, high = _reach(series, slo_p95_s)
    fig.update_xaxes(title_text=words["p95"], ticksuffix=" s", range=[0, ROOM * far], showgrid=True)
    fig.update_xaxes(gridcolor=palette.grid)
    fig.update_yaxes(title_text=words["calls_s"], range=[0, ROOM * high])
    fig.update_layout(hovermode="closest", margin={"t": 44})
    return fig


def _reach(series: Sequence[Series], slo_p95_s: float | None) -> tuple[float, float]:
    """The largest p95 and rate that must be on the chart; a target far beyond all points is cut off at twice theirs."""
    points = [p for one in series for p in one.found.points]
    far = max((p.p95_s * (1 + SIGMAS * p.error) for p in points), default=1.0)
    high = max((p.calls_per_s * (1 + SIGMAS * p.error) for p in points), default=1.0)
    return max(far, min(slo_p95_s or 0.0, 2 * far)), high


def _points(fig: go.Figure, one: Series, words: Mapping[str, str], color: str, palette: Palette) -> None:
    points = one.found.points
    fig.add_trace(
        go.Scatter(
            x=[p.p95_s for p in points],
            y=[p.calls_per_s for p in points],
            name=chart(one.name, 48),
            mode="markers+text",
            text=[str(p.limit) for p in points],
            textposition=_places(points),
            textfont={"size": 11, "color": palette.muted},
            marker={"size": 9, "color": color},
            error_x=_error([p.p95_s * p.error for p in points], color),
            error_y=_error([p.calls_per_s * p.error for p in points], color),
            customdata=[(p.limit, p.tokens_per_s, p.latency_s, p.samples) for p in points],
            hovertemplate=(
                f"{chart(words['limit'])} %{{customdata[0]}}<br>%{{y:.3~g}}/s, p95 %{{x:.3~g}} s<br>"
                "%{customdata[1]:,.0f} tok/s, Ø %{customdata[2]:.3~g} s, n = %{customdata[3]}<extra></extra>"
            ),
            cliponaxis=False,
        )
    )


def _places(points: Sequence[SweepPoint]) -> list[str]:
    """Labels above the rising part and below the flat one, where the next point is to the right of the label."""
    best = max((p.calls_per_s for p in points), default=0.0)
    return ["bottom right" if p.calls_per_s < 0.9 * best else "top right" for p in points]


def _error(sigmas: Sequence[float], color: str) -> dict[str, object]:
    return {"type": "data", "array": [SIGMAS * s for s in sigmas], "color": color, "thickness": 1, "width": 3}


def _fit(fig: go.Figure, one: Series, words: Mapping[str, str], color: str, *, first: bool) -> None:
    """The fitted curve from the lowest to the highest limit measured."""
    curve = one.found.curve
    if curve is None:
        return
    along = _along(one.found.points)
    fig.add_trace(
        go.Scatter(
            x=[curve.p95(n) for n in along],
            y=[curve.rate(n) for n in along],
            name=words["fit"],
            legendgroup="fit",
            showlegend=first,
            mode="lines",
            line={"color": color, "width": 1.5, "dash": "dot"},
            hoverinfo="skip",
        )
    )


def _along(points: Sequence[SweepPoint]) -> list[float]:
    """Numbers of calls in flight, evenly spread over the logarithm."""
    low, high = float(points[0].limit), float(points[-1].limit)
    return [low * (high / low) ** (n / STEPS) for n in range(STEPS + 1)]


def _knee(fig: go.Figure, found: Frontier, words: Mapping[str, str], palette: Palette, *, first: bool) -> None:
    """A ring around the limit to use."""
    if found.knee is None:
        return
    fig.add_trace(
        go.Scatter(
            x=[found.p95_s],
            y=[found.at_knee],
            name=words["knee"],
            legendgroup="knee",
            showlegend=first,
            mode="markers",
            marker={"size": 19, "color": "rgba(0,0,0,0)", "line": {"color": palette.mark, "width": 2.5}},
            hovertemplate=f"{chart(words['knee'])}: {found.knee}<extra></extra>",
        )
    )


def _target(fig: go.Figure, slo_p95_s: float, words: Mapping[str, str], palette: Palette) -> None:
    """The latency target as a line; it stays off the chart where it is far to the right of everything."""
    line = {"color": palette.mark, "width": 1.5, "dash": "dash"}
    fig.add_trace(
        go.Scatter(x=[None], y=[None], name=words["slo"], mode="lines", line=line, hoverinfo="skip", showlegend=True)
    )
    fig.add_vline(x=slo_p95_s, line=line)
