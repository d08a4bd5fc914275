"""One visual language for all charts: a palette for each theme, a bare layout, hover boxes that read no markup.

The categorical colours are Okabe and Ito's, tuned for contrast: they stay apart with the common colour-vision
deficiencies, and lines differ in dash as well as in colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from core.base.views import Bucket

FONT = (
    "Inter, -apple-system, BlinkMacSystemFont, Segoe UI, Roboto, Apple SD Gothic Neo, Malgun Gothic, "
    "Noto Sans KR, Noto Sans CJK KR, Noto Sans, sans-serif"
)


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one theme."""

    text: str
    muted: str
    grid: str
    surface: str
    mark: str
    idle: str
    stages: tuple[str, ...]

    def stage(self, order: Sequence[str], stage: str) -> str:
        """The colour of a stage: always the same for its place in the workload."""
        place = order.index(stage) if stage in order else len(order)
        return self.stages[place % len(self.stages)]


LIGHT = Palette(
    text="#1b2330",
    muted="#5d6878",
    grid="#e7ebf0",
    surface="#ffffff",
    mark="#c35a00",
    idle="#cfd6df",
    stages=("#00876c", "#0a6fb8", "#a8518a", "#c35a00", "#b8860b", "#3f8fc7", "#6b7280"),
)
DARK = Palette(
    text="#e5e9f0",
    muted="#98a3b3",
    grid="#262e3a",
    surface="#12161d",
    mark="#f29a4a",
    idle="#465264",
    stages=("#3cc6a0", "#5fb3ef", "#dd93c2", "#f29a4a", "#e3c04b", "#9ad0f5", "#9aa4b2"),
)


def figure(palette: Palette, *, height: int, legend: bool = True) -> go.Figure:
    """An empty figure in the house style."""
    fig = go.Figure()
    style(fig, palette, height=height, legend=legend)
    return fig


def style(fig: go.Figure, palette: Palette, *, height: int, legend: bool = True) -> None:
    """Give a figure the house style: thin grid, legend on top, hover boxes in the theme's colours."""
    fig.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 34 if legend else 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 12.5, "color": palette.text},
        showlegend=legend,
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.0,
            "yanchor": "bottom",
            "title": None,
            "font": {"color": palette.muted},
        },
        hoverlabel={
            "bgcolor": palette.surface,
            "bordercolor": palette.grid,
            "font": {"family": FONT, "color": palette.text},
        },
        bargap=0.35,
        dragmode=False,
    )
    axis = {"automargin": True, "zeroline": False, "linecolor": palette.grid, "tickfont": {"color": palette.muted}}
    fig.update_xaxes(**axis, showgrid=False, title_font={"color": palette.muted, "size": 12})
    fig.update_yaxes(**axis, gridcolor=palette.grid, title_font={"color": palette.muted, "size": 12})


def slice_end(bucket: Bucket, until: float | None) -> float:
    """Where a slice ends: at its width, or with the run where that ended earlier."""
    end = bucket.t + bucket.width_s
    return end if until is None or until <= bucket.t else min(end, until)
