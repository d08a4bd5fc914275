"""The frontier: its curve, the knee, the latency target, and what is said where the measurements don't suffice."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.views import SweepPoint
from core.tuning.sweep import alike, fit, frontier


def point(
    limit: int, latency_s: float, *, p95_s: float | None = None, tokens: float = 0.0, **more: float
) -> SweepPoint:
    """A limit whose calls took so long: its rate follows from Little's law."""
    rate = limit / latency_s
    return SweepPoint(
        limit, rate, rate * tokens, latency_s, p95_s or 1.5 * latency_s, more.pop("error", 0.01), limit, 50, 0.0,
        tokens, more.pop("slope", 0.0),
    )  # fmt: skip


def server(limits: Sequence[int], base: float, slope: float, seats: int) -> list[SweepPoint]:
    """What a server with so many seats measures without any noise: above them calls wait."""
    top = seats / (base + slope * seats)
    return [point(n, max(base + slope * n, n / top)) for n in limits]


def test_the_curve_goes_through_points_without_noise() -> None:
    """a and c of the law are found again, and the rate stays at its best above the seats."""
    curve = fit(server([1, 4, 16, 64, 128, 256], 2.0, 0.01, 128))
    assert curve is not None
    assert curve.base_s == pytest.approx(2.0)
    assert curve.slope_s == pytest.approx(0.01)
    assert curve.rate(16) == pytest.approx(16 / 2.16)
    assert curve.rate(1000) == pytest.approx(curve.top)
    assert curve.p95(1000) == pytest.approx(1.5 * 1000 / curve.top)


@given(st.floats(0.1, 10), st.floats(0, 0.05), st.integers(20, 200))
def test_the_knee_gives_95_percent_of_the_best_and_one_less_does_not(base: float, slope: float, seats: int) -> None:
    """By the law itself, whatever the server: the knee is the smallest limit with 95 % of the best rate."""

    def rate(n: float) -> float:
        return min(n / (base + slope * n), seats / (base + slope * seats))

    found = frontier(server([1, 2, 4, 8, 16, 32, 64, 128, 256, 512], base, slope, seats))
    best = max(rate(n) for n in range(1, 513))
    assert found.knee is not None
    assert rate(found.knee) >= 0.95 * best * 0.999
    assert found.knee == 1 or rate(found.knee - 1) < 0.95 * best * 1.06


def test_a_rate_that_still_grows_at_the_highest_limit_is_said() -> None:
    """The highest limit is only the best so far: the verdict says to sweep further."""
    found = frontier(server([1, 2, 4, 8], 1.0, 0.001, 512))
    assert (found.knee, found.verdict) == (8, "growing")


def test_growth_within_chance_is_no_growth() -> None:
    """A last step of 6 % with 5 % error on each side does not call for a longer sweep."""
    points = [point(8, 1.0, error=0.05), point(16, 1.0, error=0.05), point(32, 1.887, error=0.05)]
    assert frontier(points).verdict == "knee"


def test_the_latency_target_holds_the_knee_back() -> None:
    """Between the last good and the first bad limit the target is interpolated."""
    points = [point(4, 1.0, p95_s=1.0), point(8, 1.0, p95_s=2.0), point(16, 1.0, p95_s=4.0), point(32, 2.0, p95_s=9.0)]
    assert frontier(points).knee == 16
    held = frontier(points, slo_p95_s=3.0)
    assert (held.knee, held.verdict) == (12, "slo")
    assert held.p95_s == pytest.approx(3.0)
    assert held.at_knee == pytest.approx(12.0)


def test_a_target_above_the_knee_changes_nothing() -> None:
    """A generous target leaves the knee where it is."""
    points = server([1, 8, 64, 128, 256], 1.0, 0.0, 64)
    free = frontier(points)
    assert frontier(points, slo_p95_s=100.0) == free


def test_a_target_that_no_limit_meets_names_the_best_that_can_be_had() -> None:
    """The verdict is `unmet`, the limit the one with the lowest p95."""
    found = frontier(server([2, 4, 8, 16], 1.0, 0.1, 64), slo_p95_s=0.5)
    assert (found.knee, found.verdict) == (2, "unmet")
    assert found.p95_s == pytest.approx(1.5 * 1.2)


def test_nothing_measured_is_nothing_said() -> None:
    """Without points there is neither curve nor knee."""
    found = frontier([])
    assert (found.knee, found.verdict, found.curve) == (None, "none", None)


def test_one_point_is_no_frontier_but_a_limit() -> None:
    """A single limit has no curve; the rate may still grow."""
    found = frontier([point(8, 1.0)])
    assert (found.knee, found.verdict, found.curve) == (8, "growing", None)


def test_points_are_compared_at_one_length() -> None:
    """Answers twice as long at one limit don't look like a slower server."""
    short = point(8, 1.0, tokens=100, slope=0.01)
    long = point(16, 2.0, tokens=200, slope=0.01)
    told = alike([short, long])
    assert [p.tokens for p in told] == [150, 150]
    assert [p.latency_s for p in told] == [pytest.approx(1.5), pytest.approx(1.5)]
    assert told[1].calls_per_s == pytest.approx(2 * told[0].calls_per_s)
    assert told[0].tokens_per_s == pytest.approx(150 * 8 / 1.5)


def test_a_limit_measured_again_counts_as_it_was_measured_last() -> None:
    """A confirmation replaces the first look."""
    assert [p.latency_s for p in alike([point(8, 1.0), point(16, 1.0), point(8, 3.0)])] == [3.0, 1.0]
