"""What a run waited for over time: shares of each slice, stacked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from core.base.tuning_views import ConstraintSlice
from core.ui.charts.style import Palette, figure
from core.ui.safe import chart

Names = Mapping[tuple[str, str], str]


def constraints(
    slices: Sequence[ConstraintSlice], names: Names, palette: Palette, *, axis: str, time: str
) -> go.Figure:
    """Steps stacked by resource; what is left to the top is time in which nothing held the run back.

    names: of (resource, name), in the order in which they are stacked.
    """
    fig = figure(palette, height=240)
    begins = sorted({s.t for s in slices})
    end = max((s.t + s.width_s for s in slices), default=1.0)
    for place, (key, name) in enumerate(names.items()):
        told = {s.t: s.share for s in slices if (s.resource, s.name) == key}
        steps = [told.get(t, 0.0) for t in begins]
        color = palette.stages[place % len(palette.stages)]
        fig.add_trace(
            go.Scatter(
                x=[*begins, end],
                y=[*steps, *steps[-1:]],
                name=chart(name),
                mode="lines",
                line={"shape": "hv", "width": 0.5, "color": color},
                stackgroup="shares",
                hovertemplate="%{y:.0%}<extra>%{fullData.name}</extra>",
            )
        )
    fig.update_layout(hovermode="x unified")
    fig.update_yaxes(title_text=axis, range=[0, 1.02], tickformat=".0%")
    fig.update_xaxes(title_text=time, range=[0, end])
    return fig
