"""The frontier that a sweep measured: the curve through its points, the knee on it, and what can be said of both.

Below saturation an answer takes `a + c N` seconds with N calls in flight, which by Little's law are N / (a + c N)
answers a second; from where the server is full its rate stays at the best one measured, and more calls only wait
longer. The knee is the smallest N that gives 95 % of the best rate, within the latency target where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, log2, sqrt
from statistics import fmean
from typing import Protocol

from core.base.views import SweepPoint

ENOUGH = 0.95  # of the best rate: the knee's
SATURATED = 0.90  # of the best rate: from here on a point says nothing of the slope below
GROWING = 0.07  # per doubling: less is no growth


class Measured(Protocol):
    """What was measured at one limit, as a sweep keeps it or as it was measured."""

    @property
    def limit(self) -> int: ...
    @property
    def calls_per_s(self) -> float: ...
    @property
    def latency_s(self) -> float: ...
    @property
    def p95_s(self) -> float: ...
    @property
    def error(self) -> float: ...
    @property
    def in_flight(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Curve:
    """latency = base_s + slope_s * N below saturation, N / top above it; `tail` is p95 over the mean latency."""

    base_s: float
    slope_s: float
    top: float
    tail: float

    def latency(self, n: float) -> float:
        """Seconds of a mean answer with n in flight."""
        return max(self.base_s + self.slope_s * n, n / self.top)

    def rate(self, n: float) -> float:
        """Answers a second with n in flight."""
        return n / self.latency(n)

    def p95(self, n: float) -> float:
        """Seconds in which 95 % of the answers are there."""
        return self.tail * self.latency(n)

    def reaching(self, share: float) -> float:
        """The smallest n that gives this share of the best rate."""
        rest = 1 - share * self.top * self.slope_s
        return share * self.top * self.base_s / rest if rest > 0 else float("inf")


@dataclass(frozen=True, slots=True)
class Frontier:
    """A sweep's points at one length of answer, by limit, each limit once; what follows from them.

    knee: the limit to use (None: nothing was measured). verdict: `knee`; `growing` (the rate still grew at the highest
    limit); `slo` (the latency target holds it below the knee); `unmet` (no limit meets the target: the knee is the one
    that comes nearest); `none`. best and at_knee are calls a second; p95_s is what the knee's p95 is.
    """

    points: tuple[SweepPoint, ...] = ()
    curve: Curve | None = None
    knee: int | None = None
    verdict: str = "none"
    best: float = 0.0
    at_knee: float = 0.0
    p95_s: float = 0.0


def frontier(points: Sequence[SweepPoint], slo_p95_s: float | None = None) -> Frontier:
    """All that follows from a sweep's points."""
    told = alike(points)
    if not told:
        return Frontier()
    curve = fit(told)
    free, verdict = _knee(told, curve)
    knee, verdict = (free, verdict) if slo_p95_s is None else _within(told, free, slo_p95_s, verdict)
    found = Frontier(told, curve, knee, verdict, max(p.calls_per_s for p in told))
    return replace(
        found, at_knee=_between(told, knee, lambda p: p.calls_per_s), p95_s=_between(told, knee, lambda p: p.p95_s)
    )


def alike(points: Sequence[SweepPoint]) -> tuple[SweepPoint, ...]:
    """The newest measurement of each limit, as if all answers had been of the same mean length, by limit."""
    newest = {p.limit: p for p in points}
    told = [newest[limit] for limit in sorted(newest)]
    samples = sum(p.samples for p in told)
    tokens = sum(p.samples * p.tokens for p in told) / samples if samples else 0.0
    return tuple(_at_length(p, tokens) for p in told)


def _at_length(point: SweepPoint, tokens: float) -> SweepPoint:
    """The point if its answers had that many tokens; a quarter of its latency is the least that is believed."""
    moved = point.slope * (tokens - point.tokens)
    latency = max(point.latency_s + moved, point.latency_s / 4)
    rate = point.in_flight / latency
    return replace(point, latency_s=latency, calls_per_s=rate, tokens_per_s=rate * tokens, tokens=tokens)


def fit(points: Sequence[Measured]) -> Curve | None:
    """Least squares through the points below saturation (the first two at least); None with fewer than two."""
    best = max((p.calls_per_s for p in points), default=0.0)
    if len(points) < 2 or best <= 0:
        return None
    full = next(n for n, p in enumerate(points) if p.calls_per_s >= SATURATED * best)
    base, slope = _line([(p.in_flight, p.latency_s) for p in points[: max(2, full)]])
    tail = fmean(p.p95_s / p.latency_s for p in points)
    return Curve(base, slope, best, tail)


def _line(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Intercept and slope of the least squares line, neither below zero."""
    x, y = fmean(a for a, _ in pairs), fmean(b for _, b in pairs)
    spread = sum((a - x) ** 2 for a, _ in pairs)
    slope = sum((a - x) * (b - y) for a, b in pairs) / spread if spread else 0.0
    slope = min(max(0.0, slope), y / x if x else 0.0)
    return y - slope * x, slope


def _knee(points: Sequence[SweepPoint], curve: Curve | None) -> tuple[int, str]:
    """The smallest limit with 95 % of the best rate: read off the curve, between the two limits that enclose it."""
    best = max(p.calls_per_s for p in points)
    place = next(n for n, p in enumerate(points) if p.calls_per_s >= ENOUGH * best)
    high = points[place].limit
    if place == len(points) - 1 and (len(points) < 2 or grows(points)):
        return high, "growing"
    if place == 0 or curve is None:
        return high, "knee"
    wanted = curve.reaching(ENOUGH)
    return (high if wanted >= high else max(points[place - 1].limit + 1, ceil(wanted))), "knee"


def grows(points: Sequence[Measured], least: float = GROWING) -> bool:
    """Whether the last of two steps or more still gave more than 7 % per doubling, beyond what chance does."""
    before, last = points[-2], points[-1]
    gain = last.calls_per_s / before.calls_per_s - 1
    chance = sqrt(before.error**2 + last.error**2)
    return gain - chance > least * log2(last.limit / before.limit)


def _within(points: Sequence[SweepPoint], knee: int, slo_s: float, verdict: str) -> tuple[int, str]:
    """The knee, or the highest limit below it whose p95 meets the target, interpolated between two measurements."""
    good = [p for p in points if p.p95_s <= slo_s]
    if not good:
        return min(points, key=lambda p: p.p95_s).limit, "unmet"
    low = good[0]
    for high in points[points.index(low) + 1 :]:
        if high.p95_s > slo_s:
            share = (slo_s - low.p95_s) / (high.p95_s - low.p95_s)
            most = int(low.limit + share * (high.limit - low.limit))
            return (most, "slo") if most < knee else (knee, verdict)
        low = high
    return knee, verdict


def _between(points: Sequence[SweepPoint], limit: int, value: Callable[[SweepPoint], float]) -> float:
    """A figure at a limit, interpolated between the two measurements around it."""
    low = max((p for p in points if p.limit <= limit), key=lambda p: p.limit, default=points[0])
    high = min((p for p in points if p.limit >= limit), key=lambda p: p.limit, default=points[-1])
    if high.limit == low.limit:
        return value(low)
    share = (limit - low.limit) / (high.limit - low.limit)
    return value(low) + share * (value(high) - value(low))
