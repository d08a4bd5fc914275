"""Chart builders are pure: views in, a figure out, in both themes, with whatever names."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.base.tuning_views import ConstraintSlice
from core.base.views import Bucket, GateSample
from core.ui import charts
from core.ui.charts import DARK, LIGHT, Palette
from tests.support.fake_service import FakeService
from tests.support.fake_world import HOSTILE

TITLES = {"search": "Search", "aspect_summary": "Aspect summary", "total_summary": "Total summary"}
WORDS = {
    "in_flight": "in flight",
    "limit": "limit",
    "waiting": "waiting",
    "time": "seconds",
    "calls_s": "calls/s",
    "p95": "p95",
    "by_hand": "by hand",
    "auto": "automatic",
}


@pytest.fixture
def fake() -> FakeService:
    return FakeService("full")


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_every_colour_stands_out_from_its_background(palette: Palette) -> None:
    assert all(contrast(c, palette.surface) >= 3 for c in (*palette.stages, palette.mark))
    assert contrast(palette.text, palette.surface) >= 7
    assert contrast(palette.muted, palette.surface) >= 4.5


def test_a_stage_keeps_its_colour_in_all_charts(fake: FakeService) -> None:
    stats, buckets = fake.stages("run-done"), fake.buckets("run-done")
    color = LIGHT.stage(list(TITLES), "aspect_summary")
    flow = charts.over_time(charts.Flow((), buckets), {}, TITLES, WORDS, LIGHT)
    mine = [trace for trace in flow.data if trace.name == "Aspect summary"]
    assert [trace.type for trace in mine] == ["bar", "scatter"]
    assert mine[0].marker.color == mine[1].line.color == color
    rows = charts.latency(stats, TITLES, LIGHT, axis="")
    assert color in {r.line.color for r in rows.data}


def test_latency_has_three_points_for_each_stage_and_model(fake: FakeService) -> None:
    rows = charts.latency(fake.stages("run-done"), TITLES, LIGHT, axis="s").data[:3]
    assert all(len(row.x) == 3 and list(row.x) == sorted(row.x) for row in rows)


def test_latencies_tell_their_values_apart_and_the_legend_names_the_symbols(fake: FakeService) -> None:
    fig = charts.latency(fake.stages("run-done"), TITLES, LIGHT, axis="s")
    assert all(len(set(row.textposition)) == 3 for row in fig.data[:3])
    assert "40 ms" in fig.data[2].text
    assert [(e.name, e.marker.symbol) for e in fig.data[3:]] == [
        ("p50", "circle"), ("p95", "diamond"), ("p99", "square"),
    ]  # fmt: skip


def test_in_flight_has_a_limit_under_every_gate_and_a_line_for_every_mark(fake: FakeService) -> None:
    marks = [charts.Mark(60.0, "dana: Model limit 8 → 16"), charts.Mark(140.0, "minsu")]
    marks.append(charts.Mark(150.0, "auto: 16 → 32: gained 40 %", auto=True))
    flow = charts.Flow(fake.samples("run-done"), fake.buckets("run-done"), marks)
    fig = charts.over_time(flow, {}, TITLES, WORDS, LIGHT)
    assert [t.name for t in fig.data[:6]] == ["in flight", "limit", "waiting"] * 2
    assert len(fig.layout.shapes) >= len(marks)
    assert [(t.name, len(t.x)) for t in fig.data[-2:]] == [("by hand", 2), ("automatic", 1)]
    assert fig.data[-2].text[0].startswith("dana")


def test_everything_over_time_shares_one_axis(fake: FakeService) -> None:
    flow = charts.Flow(fake.samples("run-done"), fake.buckets("run-done"), until=240.0)
    fig = charts.over_time(flow, {}, TITLES, WORDS, LIGHT)
    shared = [axis for axis in fig.select_xaxes() if axis.matches or axis.anchor]
    assert len({axis.range for axis in fig.select_xaxes()}) == 1
    assert len(shared) == 4


def test_the_timeline_begins_at_zero_and_numbers_second_tries(fake: FakeService) -> None:
    rows = charts.Rows(TITLES, {"food": "Food"})
    fig = charts.timeline(fake.timeline("run-done", "r0001"), rows, {"waiting": "w", "time": "t"}, DARK)
    assert min(min(bar.base) for bar in fig.data) == 0
    assert any("#2" in (bar.text or ()) for bar in fig.data)


def test_costs_leave_out_what_has_no_price(fake: FakeService) -> None:
    fig = charts.cost_by_stage(fake.stages("run-done"), TITLES, LIGHT, axis="USD")
    assert len(fig.data[0].x) == 2
    assert list(fig.data[0].x) == sorted(fig.data[0].x)
    assert charts.cost_by_stage(fake.stages("run-cards"), TITLES, LIGHT, axis="USD").data[0].x == ()


def test_spending_only_grows(fake: FakeService) -> None:
    spent = list(charts.cost_over_time(fake.buckets("run-done"), LIGHT, axis="", time="").data[0].y)
    assert spent == sorted(spent)
    assert spent[-1] > 0


def test_spending_begins_at_nothing_and_ends_with_the_run() -> None:
    slices = [Bucket(t, 5.0, "s", "llm", "m", 9, 9, 0, 0, 1.0, 1.0, 9, Decimal(1)) for t in (0.0, 5.0)]
    line = charts.cost_over_time(slices, LIGHT, axis="", time="", until=9.0).data[0]
    assert list(zip(line.x, line.y, strict=True)) == [(0, 0), (5, 1), (9, 2)]
    assert "markers" in line.mode


def test_a_slice_that_is_cut_short_tells_its_own_rate() -> None:
    slices = [Bucket(t, 5.0, "s", "llm", "m", 10, 10, 0, 0, 1.0, 1.0, 9, None) for t in (0.0, 5.0)]
    bars = charts.over_time(charts.Flow((), slices, until=7.0), {}, {"s": "S"}, WORDS, LIGHT).data[0]
    assert list(bars.y) == [2.0, 5.0]
    assert bars.width[1] < bars.width[0]


def test_what_held_a_run_back_is_stacked_over_its_slices() -> None:
    told = [ConstraintSlice(0.0, 5.0, "llm", "", 0.5), ConstraintSlice(5.0, 5.0, "rate", "api", 0.25)]
    names = {("llm", ""): "Model gate", ("rate", "api"): "Quota of api"}
    fig = charts.constraints(told, names, LIGHT, axis="share", time="t")
    assert [(t.name, list(t.x), list(t.y)) for t in fig.data] == [
        ("Model gate", [0.0, 5.0, 10.0], [0.5, 0.0, 0.0]),
        ("Quota of api", [0.0, 5.0, 10.0], [0.0, 0.25, 0.25]),
    ]


def test_a_run_of_one_sample_is_drawn_from_its_start_with_its_average() -> None:
    flow = charts.Flow([GateSample(1.0, "llm", 4, 0, 60, 3.5, 0.9, 4)], [])
    fig = charts.over_time(flow, {}, {}, WORDS, LIGHT)
    lines = {trace.name: (list(trace.x), list(trace.y), trace.yaxis) for trace in fig.data}
    assert lines["in flight"] == ([0, 1], [3.5, 3.5], "y")
    assert lines["limit"] == ([0, 1], [4, 4], "y")
    assert lines["waiting"] == ([0, 1], [0, 60], "y2")


def test_nothing_at_all_is_still_a_figure() -> None:
    rows = charts.Rows({}, {})
    assert charts.latency((), {}, LIGHT, axis="").layout.height
    assert charts.over_time(charts.Flow((), ()), {}, {}, WORDS, LIGHT).layout.height
    assert charts.constraints((), {}, LIGHT, axis="", time="").layout.height
    assert charts.timeline((), rows, {"waiting": "", "time": ""}, LIGHT).layout.height
    assert charts.cost_over_time((), LIGHT, axis="", time="").layout.height


@pytest.mark.parametrize("payload", HOSTILE)
def test_no_name_becomes_markup_in_a_chart(fake: FakeService, payload: str) -> None:
    titles = dict.fromkeys(TITLES, payload)
    rows = charts.Rows(titles, {"food": payload})
    hostile = charts.Flow(fake.samples("run-done"), fake.buckets("run-done"), [charts.Mark(1.0, payload)])
    figures = [
        charts.latency(fake.stages("run-done"), titles, LIGHT, axis=""),
        charts.over_time(hostile, {"llm": payload}, titles, WORDS, LIGHT),
        charts.constraints(
            [ConstraintSlice(0.0, 5.0, "rate", payload, 0.5)], {("rate", payload): payload}, LIGHT, axis="", time=""
        ),
        charts.timeline(fake.timeline("run-done", "r1"), rows, {"waiting": "", "time": ""}, LIGHT),
        charts.cost_by_stage(fake.stages("run-done"), titles, LIGHT, axis=""),
    ]
    told = "".join(f.to_json().replace("<extra></extra>", "").replace("<br>", "") for f in figures)
    for tag in ("<script", "<img", "<a ", "<svg", "<iframe"):
        assert tag not in told.replace("\\u003c", "<")
