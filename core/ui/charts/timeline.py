"""The life of one item: every request as a bar, its wait before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from core.base.views import AttemptView
from core.ui.charts.style import Palette, figure
from core.ui.safe import chart


def timeline(
    attempts: Sequence[AttemptView],
    titles: Mapping[str, str],
    parts: Mapping[str, str],
    words: Mapping[str, str],
    palette: Palette,
) -> go.Figure:
    """A Gantt chart: one row for each (stage, parts), grey while waiting, coloured while running, hatched when it failed.

    words: `waiting` and `failed` for the legend, `time` for the axis.
    """
    ordered = sorted(attempts, key=lambda a: a.t)
    rows = list(dict.fromkeys(_row(a, titles, parts) for a in ordered))
    fig = figure(palette, height=84 + 34 * max(1, len(rows)))
    start = min((a.t - a.queue_s for a in ordered), default=0.0)
    fig.add_trace(_bars(ordered, [a.queue_s for a in ordered], start, titles, parts, words["waiting"], palette.grid))
    for stage in dict.fromkeys(a.stage for a in ordered):
        told = [a for a in ordered if a.stage == stage]
        color = palette.stage(list(titles), stage)
        fig.add_trace(_served(told, start, titles, parts, chart(titles.get(stage, stage)), color))
    fig.update_layout(barmode="overlay", bargap=0.45)
    fig.update_xaxes(title_text=words["time"], showgrid=True, gridcolor=palette.grid, ticksuffix=" s", rangemode="tozero")
    fig.update_yaxes(categoryorder="array", categoryarray=rows[::-1], showgrid=False, tickfont={"color": palette.text})
    return fig


def _row(attempt: AttemptView, titles: Mapping[str, str], parts: Mapping[str, str]) -> str:
    told = ", ".join(parts.get(p, p) for p in attempt.parts[:3])
    more = " …" if len(attempt.parts) > 3 else ""
    stage = titles.get(attempt.stage, attempt.stage)
    return chart(f"{stage} · {told}{more}" if told else stage, 48)


def _bars(
    attempts: Sequence[AttemptView],
    widths: Sequence[float],
    start: float,
    titles: Mapping[str, str],
    parts: Mapping[str, str],
    name: str,
    color: str,
) -> go.Bar:
    return go.Bar(
        orientation="h", name=chart(name), x=list(widths), base=[a.t - a.queue_s - start for a in attempts],
        y=[_row(a, titles, parts) for a in attempts], marker={"color": color, "line": {"width": 0}},
        hovertemplate="%{x:.2f} s<extra>%{fullData.name}</extra>",
    )  # fmt: skip


def _served(
    attempts: Sequence[AttemptView], start: float, titles: Mapping[str, str], parts: Mapping[str, str], name: str, color: str
) -> go.Bar:
    failed = [a.state not in ("ok", "started") for a in attempts]
    return go.Bar(
        orientation="h",
        name=name,
        x=[a.service_s or 0.0 for a in attempts],
        base=[a.t - start for a in attempts],
        y=[_row(a, titles, parts) for a in attempts],
        marker={"color": color, "line": {"width": 0}, "pattern": {"shape": ["/" if f else "" for f in failed]}},
        text=[f"#{a.number}" if a.number > 1 else "" for a in attempts],
        customdata=[chart(f"{a.model} {a.endpoint} {a.state}", 80) for a in attempts],
        hovertemplate="%{x:.2f} s<br>%{customdata}<extra>%{fullData.name}</extra>",
    )
