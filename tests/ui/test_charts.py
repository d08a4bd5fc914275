"""Chart builders are pure: views in, a figure out, in both themes, with whatever names."""

from __future__ import annotations

import pytest

from core.ui import charts
from core.ui.charts import DARK, LIGHT, Palette
from tests.support.fake_service import FakeService
from tests.support.fake_world import HOSTILE

TITLES = {"search": "Search", "aspect_summary": "Aspect summary", "total_summary": "Total summary"}
WORDS = {"in_flight": "in flight", "limit": "limit", "waiting": "waiting", "time": "seconds"}


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
    bars = charts.throughput(buckets, TITLES, LIGHT, axis="", time="")
    assert next(b for b in bars.data if b.name == "Aspect summary").marker.color == color
    rows = charts.latency(stats, TITLES, LIGHT, axis="")
    assert color in {r.line.color for r in rows.data}


def test_latency_has_three_points_for_each_stage_and_model(fake: FakeService) -> None:
    fig = charts.latency(fake.stages("run-done"), TITLES, LIGHT, axis="s")
    assert len(fig.data) == 3
    assert all(len(row.x) == 3 and list(row.x) == sorted(row.x) for row in fig.data)


def test_in_flight_has_a_limit_under_every_gate_and_a_line_for_every_mark(fake: FakeService) -> None:
    marks = [charts.Mark(60.0, "dana: Model limit 8 → 16"), charts.Mark(140.0, "minsu")]
    fig = charts.in_flight(fake.samples("run-done"), marks, {}, WORDS, LIGHT)
    assert [t.name for t in fig.data[:6]] == ["in flight", "limit", "waiting"] * 2
    assert len(fig.layout.shapes) >= len(marks)
    assert fig.data[-1].text[0].startswith("dana")


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


def test_nothing_at_all_is_still_a_figure() -> None:
    rows = charts.Rows({}, {})
    assert charts.latency((), {}, LIGHT, axis="").layout.height
    assert charts.in_flight((), (), {}, WORDS, LIGHT).layout.height
    assert charts.throughput((), {}, LIGHT, axis="", time="").layout.height
    assert charts.timeline((), rows, {"waiting": "", "time": ""}, LIGHT).layout.height
    assert charts.cost_over_time((), LIGHT, axis="", time="").layout.height


@pytest.mark.parametrize("payload", HOSTILE)
def test_no_name_becomes_markup_in_a_chart(fake: FakeService, payload: str) -> None:
    titles = dict.fromkeys(TITLES, payload)
    rows = charts.Rows(titles, {"food": payload})
    figures = [
        charts.latency(fake.stages("run-done"), titles, LIGHT, axis=""),
        charts.in_flight(fake.samples("run-done"), [charts.Mark(1.0, payload)], {"llm": payload}, WORDS, LIGHT),
        charts.throughput(fake.buckets("run-done"), titles, LIGHT, axis="", time=""),
        charts.timeline(fake.timeline("run-done", "r1"), rows, {"waiting": "", "time": ""}, LIGHT),
        charts.cost_by_stage(fake.stages("run-done"), titles, LIGHT, axis=""),
    ]
    told = "".join(f.to_json().replace("<extra></extra>", "").replace("<br>", "") for f in figures)
    for tag in ("<script", "<img", "<a ", "<svg", "<iframe"):
        assert tag not in told.replace("\\u003c", "<")
