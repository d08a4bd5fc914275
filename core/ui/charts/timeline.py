"""The life of one item: every request as a bar, its wait before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from core.base.views import AttemptView
from core.ui.charts.style import Palette, figure
from core.ui.safe import chart

DONE = ("ok", "started")  # states that are not hatched


@dataclass(frozen=True, slots=True)
class Rows:
    """Titles of stages and parts, and from them the title of an attempt's row."""

    stages: Mapping[str, str]
    parts: Mapping[str, str]

    def title(self, attempt: AttemptView) -> str:
        """`Aspect summary · Service`, safe for a chart."""
        parts = ", ".join(self.parts.get(p, p) for p in attempt.parts[:3])
        told = [self.stages.get(attempt.stage, attempt.stage), parts + (" …" if len(attempt.parts) > 3 else "")]
        return chart(" · ".join(x for x in told if x), 48)


def timeline(attempts: Sequence[AttemptView], rows: Rows, words: Mapping[str, str], palette: Palette) -> go.Figure:
    """A Gantt chart: a row for each (stage, parts), grey while waiting, coloured while running, hatched when it failed.

    words: `waiting` for the legend, `time` for the axis.
    """
    ordered = sorted(attempts, key=lambda a: a.t)
    titles = list(dict.fromkeys(rows.title(a) for a in ordered))
    fig = figure(palette, height=84 + 34 * max(1, len(titles)))
    start = min((a.t - a.queue_s for a in ordered), default=0.0)
    fig.add_trace(_waits(ordered, rows, start, words["waiting"], palette))
    for stage in dict.fromkeys(a.stage for a in ordered):
        fig.add_trace(_served([a for a in ordered if a.stage == stage], rows, start, palette))
    fig.update_layout(barmode="overlay", bargap=0.45)
    fig.update_xaxes(title_text=words["time"], showgrid=True, gridcolor=palette.grid, ticksuffix=" s")
    fig.update_yaxes(
        categoryorder="array", categoryarray=titles[::-1], showgrid=False, tickfont={"color": palette.text}
    )
    return fig


def _waits(attempts: Sequence[AttemptView], rows: Rows, start: float, name: str, palette: Palette) -> go.Bar:
    return go.Bar(
        orientation="h",
        name=chart(name),
        x=[a.queue_s for a in attempts],
        base=[a.t - a.queue_s - start for a in attempts],
        y=[rows.title(a) for a in attempts],
        marker={"color": palette.idle, "line": {"width": 0}},
        hovertemplate="%{x:.2f} s<extra>%{fullData.name}</extra>",
    )


def _served(attempts: Sequence[AttemptView], rows: Rows, start: float, palette: Palette) -> go.Bar:
    stage = attempts[0].stage
    hatch = ["" if a.state in DONE else "/" for a in attempts]
    return go.Bar(
        orientation="h",
        name=chart(rows.stages.get(stage, stage)),
        x=[a.service_s or 0.0 for a in attempts],
        base=[a.t - start for a in attempts],
        y=[rows.title(a) for a in attempts],
        marker={"color": palette.stage(list(rows.stages), stage), "line": {"width": 0}, "pattern": {"shape": hatch}},
        text=[f"#{a.number}" if a.number > 1 else "" for a in attempts],
        textangle=0,
        insidetextanchor="start",
        customdata=[chart(f"{a.model} {a.endpoint} {a.state}", 80) for a in attempts],
        hovertemplate="%{x:.2f} s<br>%{customdata}<extra>%{fullData.name}</extra>",
    )
