"""Forecasts against what was measured: a point for each run, its range as a bar, the diagonal where they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from core.base.tuning_views import ForecastError, Range
from core.ui.charts.style import Palette, figure
from core.ui.safe import chart

ROOM = 1.6  # how far the axes reach beyond the outermost values; they are logarithmic


def forecast_errors(errors: Sequence[ForecastError], words: Mapping[str, str], palette: Palette) -> go.Figure:
    """Expected against measured seconds; runs that were changed on the way are hollow.

    Words: expected_s, measured_s, as_told.
    """
    told = [(error, error.forecast_s) for error in errors if error.forecast_s]
    fig = figure(palette, height=320, legend=False)
    if not told:
        return fig
    ends = [max(1e-3, s) for error, span in told for s in (*span, error.measured_s)]
    fig.add_trace(_diagonal(min(ends) / ROOM, max(ends) * ROOM, words["as_told"], palette))
    fig.add_trace(_points(told, words, palette))
    fig.update_xaxes(type="log", title_text=words["expected_s"], showgrid=True, gridcolor=palette.grid)
    fig.update_yaxes(type="log", title_text=words["measured_s"])
    return fig


def _diagonal(low: float, high: float, name: str, palette: Palette) -> go.Scatter:
    return go.Scatter(
        x=[low, high],
        y=[low, high],
        mode="lines",
        name=name,
        line={"color": palette.muted, "dash": "dash", "width": 1},
        hoverinfo="skip",
    )


def _points(told: Sequence[tuple[ForecastError, Range]], words: Mapping[str, str], palette: Palette) -> go.Scatter:
    color = palette.stages[1]
    hover = "{expected_s}: %{{x:.1f}}<br>{measured_s}: %{{y:.1f}}".format_map(words)
    return go.Scatter(
        x=[span[1] for _, span in told],
        y=[error.measured_s for error, _ in told],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [span[2] - span[1] for _, span in told],
            "arrayminus": [span[1] - span[0] for _, span in told],
            "color": palette.idle,
            "thickness": 1.5,
            "width": 3,
        },
        mode="markers",
        marker={
            "size": 9,
            "color": color,
            "line": {"color": color, "width": 2},
            "symbol": ["circle" if error.as_ordered else "circle-open" for error, _ in told],
        },
        text=[chart(error.run_id) for error, _ in told],
        hovertemplate=f"%{{text}}<br>{hover}<extra></extra>",
    )
