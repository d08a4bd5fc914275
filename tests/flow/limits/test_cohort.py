"""A cohort measures calls by when they started, corrects for their length, and knows when it knows nothing."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from core.base.records import Outcome
from core.flow.limits import Cohort, Lengths, LimitChange, Point, Sample
from core.flow.limits.cohort import settling
from core.flow.limits.point import pool


def _sample(
    start: float, latency: float, tokens: int = 100, in_flight: int = 16, outcome: Outcome = Outcome.SUCCESS
) -> Sample:
    return Sample(start, start + latency, outcome, in_flight, 500, tokens)


def _measure(cohort: Cohort, samples: list[Sample], lengths: Lengths | None = None) -> Point | None:
    lengths = lengths or Lengths()
    for sample in samples:
        lengths.add(sample.output_tokens)
    events = [(s.started_at, 0, s) for s in samples] + [(s.ended_at, 1, s) for s in samples]
    point = None
    for _, kind, sample in sorted(events, key=lambda event: event[:2]):
        if kind:
            point = point or cohort.ended(sample, lengths)
        else:
            cohort.started(sample.started_at)
    return point


def test_littles_law() -> None:
    """16 in flight at 2 s each are 8 calls a second, 800 tokens a second."""
    point = _measure(Cohort(16, 0), [_sample(0.1 * n, 2.0) for n in range(40)])
    assert point is not None
    assert (point.calls_per_s, point.tokens_per_s, point.latency_s, point.p95_s) == pytest.approx((8, 800, 2, 2))
    assert point.samples == 15
    assert point.limit == 16


def test_the_first_answers_after_a_change_do_not_count() -> None:
    """Half a limit's answers are let through; calls from before the change are no part of it."""
    old = [_sample(-1 + 0.01 * n, 1.2, in_flight=4) for n in range(8)]
    new = [_sample(0.3 + 0.1 * n, 4.0) for n in range(40)]
    point = _measure(Cohort(16), old + new)
    assert point is not None
    assert point.latency_s == pytest.approx(4.0)


def test_lengths_are_corrected() -> None:
    """A cohort of short answers from a mix is measured as if it had the mix's mean length."""
    lengths = Lengths()
    for tokens in [100, 200] * 100:
        lengths.add(tokens)
    dice = random.Random(1)
    sizes = [dice.choice((50, 100, 100, 120)) for _ in range(40)]
    point = _measure(
        Cohort(16, 0), [_sample(0.1 * n, 0.5 + 0.02 * size, size) for n, size in enumerate(sizes)], lengths
    )
    assert point is not None
    assert point.latency_s == pytest.approx(0.5 + 0.02 * lengths.mean, rel=0.01)
    assert point.slope == pytest.approx(0.02, rel=0.01)
    assert point.p95_s == pytest.approx(0.5 + 0.02 * lengths.long, rel=0.02)
    assert point.rate(300.0) == pytest.approx(16 / 6.5, rel=0.01)


def test_without_tokens_calls_are_counted() -> None:
    """Searches have no tokens: throughput is in calls a second, and the p95 comes from the scatter."""
    dice = random.Random(2)
    point = _measure(Cohort(16, 0), [_sample(0.1 * n, dice.lognormvariate(0, 0.3), 0) for n in range(40)])
    assert point is not None
    assert point.tokens_per_s == 0
    assert point.calls_per_s == pytest.approx(16 / point.latency_s)
    assert 1.2 < point.p95_s / point.latency_s < 2.2


def test_an_under_used_limit_is_not_measured() -> None:
    """With fewer than three quarters of the limit in flight the application is the limit: void, and begun anew."""
    cohort = Cohort(16, 4)
    assert _measure(cohort, [_sample(0.2 * n, 1.0, in_flight=11) for n in range(60)]) is None
    assert cohort.void >= 1


def test_a_failing_cohort_is_no_measurement() -> None:
    """Where most calls fail there is nothing to measure."""
    bad = [_sample(0.1 * n, 1.0, outcome=Outcome.IGNORED if n % 3 else Outcome.SUCCESS) for n in range(40)]
    assert _measure(Cohort(16, 4), bad) is None


def test_a_call_that_never_returns_does_not_hold_it_up() -> None:
    """93 % of the cohort is enough."""
    samples = [_sample(0.1 * n, 1e6 if n == 5 else 2.0) for n in range(40)]
    point = _measure(Cohort(16, 0), samples)
    assert point is not None
    assert point.latency_s == pytest.approx(2.0)


def test_pooling_weighs_by_samples() -> None:
    """Two measurements of one limit: the mean by samples, and a smaller error than either."""
    one, other = (Point(8, 0, 8 / s, s, 2 * s, n, 1.0, 0.1, 8.0) for s, n in ((1.0, 30), (2.0, 10)))
    both = pool(one, other)
    assert both.latency_s == pytest.approx(1.25)
    assert both.samples == 40
    assert both.error < 0.1


def test_long_answers_of_a_few_are_estimated() -> None:
    """The 95th percentile of twenty lengths is that of a smooth law, not the longest of them."""
    dice = random.Random(3)
    few, many = Lengths(), Lengths()
    for _ in range(20):
        few.add(round(dice.lognormvariate(5, 0.4)))
    for _ in range(400):
        many.add(round(dice.lognormvariate(5, 0.4)))
    assert few.long == pytest.approx(many.long, rel=0.2)


def test_what_is_not_sent_yet_is_not_with_the_server() -> None:
    """16 places, but each call's record takes half a second to be written: of 2.5 s in flight 2 are with the server."""
    samples = [replace(_sample(0.1 * n, 2.0), held_s=0.5) for n in range(40)]
    point = _measure(Cohort(16, 0), samples)
    assert point is not None
    assert point.in_flight == pytest.approx(16 * 2.0 / 2.5)
    assert point.calls_per_s == pytest.approx(16 / 2.5)


def test_the_work_beside_a_call_is_corrected_too() -> None:
    """Where all calls of a flood are short, a queue passes quickly: at today's mean work it would not."""
    point = _measure(Cohort(16, 0), [_sample(0.1 * n, 2.0, 38) for n in range(40)])
    assert point is not None
    assert point.rate(38, 100.5) == pytest.approx(8.0)  # 38 + 500 / 8 are 100.5
    assert point.rate(38, 4 * 100.5) == pytest.approx(8.0 / 2)


def test_what_drains_after_a_step_down_is_let_through() -> None:
    """From 64 to 16: the 48 beyond, then half of 16; upward half of the new limit; nothing where nothing changed."""
    assert settling(LimitChange(64, 16, "")) == 48 + 8
    assert settling(LimitChange(16, 64, "")) == 32
    assert settling(None) == 0
