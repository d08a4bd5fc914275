"""Measures what a limit gives, from a cohort of calls chosen by when they started: unbiased, with or without streaming.

The calls that end first after a change are the short ones and those that still ran under the old limit: counting them
overestimates the throughput by a third and more. So some calls are let through first, then the next ones to START are
the cohort, and it is judged when nearly all of them have ended. With X the throughput, N the calls in flight, lat the
latency of a call of mean length, Little's law gives X = N / lat calls a second.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Protocol

from core.base.records import Outcome
from core.flow.limits.point import Point
from core.flow.limits.protocol import LimitChange, Sample

SMALLEST = 16
SHARE = 0.3
SETTLE = 0.5
QUORUM = 0.93
USED = 0.75
REMEMBERED = 400
LONG = 0.95
NEVER = float("-inf")
# Where lengths explain the latencies so well, those that are still missing would not change the picture.
EXPLAINED = 0.15
QUICK = 0.5


class Lengths:
    """The latest answers: what a call of mean length, and a long one, is, and how much work a call."""

    __slots__ = ("_recent", "_sum", "_work", "_works")

    def __init__(self) -> None:
        self._recent: deque[int] = deque(maxlen=REMEMBERED)
        self._works: deque[float] = deque(maxlen=REMEMBERED)
        self._sum = 0
        self._work = 0.0

    def __repr__(self) -> str:
        return f"<Lengths {self.mean:.0f} on average, {self.long:.0f} at most 95 % of {len(self._recent)}>"

    def add(self, tokens: int, work: float = 0.0) -> None:
        """An answer of so many tokens came, which was so much work."""
        if len(self._recent) == REMEMBERED:
            self._sum -= self._recent[0]
            self._work -= self._works[0]
        self._recent.append(tokens)
        self._works.append(work)
        self._sum += tokens
        self._work += work

    @property
    def mean(self) -> float:
        """Their mean; 0 before the first."""
        return self._sum / len(self._recent) if self._recent else 0.0

    @property
    def work(self) -> float:
        """The mean work of a call; 0 before the first, and where it is unknown."""
        return self._work / len(self._works) if self._works else 0.0

    @property
    def long(self) -> float:
        """Their 95th percentile; of a few, as if their logarithms were normal, for the longest of a few are chance."""
        ordered = sorted(self._recent)
        if not ordered or ordered[-1] <= 0:
            return 0.0
        counted = ordered[min(len(ordered) - 1, int(LONG * len(ordered)))]
        if len(ordered) >= REMEMBERED // 2:
            return counted
        logs = [math.log(max(1, tokens)) for tokens in ordered]
        return min(ordered[-1], math.exp(fmean(logs) + 1.645 * pstdev(logs)))


class Mean(Protocol):
    """The lengths that a measurement is corrected to."""

    @property
    def mean(self) -> float: ...
    @property
    def long(self) -> float: ...
    @property
    def work(self) -> float: ...


class Cohort:
    """One measurement at one limit: tell it every start and end, and `ended` gives the Point when it is complete.

    settle: answers to let through first (None: half the limit); only calls that start later than `after` belong to it.
    size: at least so many. quick: be content with half of the answers where lengths explain the latencies. A cohort
    whose calls were failing, or with fewer than three quarters of the limit in flight, is void: it begins anew (`void`
    counts how often).
    """

    __slots__ = ("_first", "_flight", "_gone", "_last", "_left", "_quick", "_samples", "_size", "limit", "void")

    def __init__(
        self, limit: int, settle: int | None = None, after: float = NEVER, size: int = 0, *, quick: bool = False
    ):
        self.limit = limit
        self.void = 0
        self._quick = quick
        self._size = max(SMALLEST, math.ceil(SHARE * limit), size)
        self._left = math.ceil(SETTLE * limit) if settle is None else settle
        self._begin(after)

    def __repr__(self) -> str:
        return f"<Cohort at {self.limit}: {self._flight} of {self._size} started, {self._gone} ended>"

    def _begin(self, after: float) -> None:
        self._first, self._last = after, float("inf")
        self._flight = self._gone = 0
        self._samples: list[Sample] = []

    def started(self, at: float) -> None:
        """A call was sent."""
        if self._left > 0 or at <= self._first or at > self._last:
            return
        self._flight += 1
        if self._flight == self._size:
            self._last = at

    def ended(self, sample: Sample, lengths: Mean) -> Point | None:
        """A call came back; the measurement, if that completes it."""
        if self._left > 0:
            self._settle(sample)
            return None
        if not self._first < sample.started_at <= self._last:
            return None
        self._gone += 1
        if sample.outcome is Outcome.SUCCESS:
            self._samples.append(sample)
        return self._judge(sample.ended_at, lengths) if self._is_complete() else None

    def _is_complete(self) -> bool:
        if self._flight < self._size or self._gone < QUICK * self._flight:
            return False
        if self._gone >= math.ceil(QUORUM * self._flight):
            return True
        return self._quick and self._gone == len(self._samples) and line(self._samples).spread < EXPLAINED

    def _settle(self, sample: Sample) -> None:
        self._left -= 1
        if self._left <= 0:
            self._begin(sample.ended_at)

    def _judge(self, at: float, lengths: Mean) -> Point | None:
        good = len(self._samples)
        burst = self._first == NEVER
        flight = self.limit if burst else sum(sample.in_flight for sample in self._samples) / max(1, good)
        peak = max((sample.in_flight for sample in self._samples), default=0)
        if good < self._flight / 2 or min(flight, peak) < USED * self.limit:
            self.void += 1
            self._begin(at)
            return None
        return _point(self.limit, flight * _sent_share(self._samples), self._samples, at, lengths)


def settling(change: LimitChange | None) -> int:
    """Answers to let through after a change: half the new limit, and first of all what was in flight beyond it."""
    return math.ceil(SETTLE * change.new) + max(0, change.old - change.new) if change else 0


def _sent_share(samples: list[Sample]) -> float:
    """The share of the calls in flight that are with the server: the others are still on their way out."""
    there = sum(sample.latency_s for sample in samples)
    return max(1e-9, there) / max(1e-9, there + sum(sample.held_s for sample in samples))


@dataclass(frozen=True, slots=True)
class Line:
    """latency = mean + slope * (tokens - at): least squares, never falling. spread: relative scatter."""

    mean: float
    at: float
    slope: float
    spread: float

    def latency(self, tokens: float) -> float:
        """Of a call of that length."""
        return max(self.mean / 4, self.mean + self.slope * (tokens - self.at))


def line(samples: list[Sample]) -> Line:
    """The latency of answers by their output tokens."""
    count = len(samples)
    mean = sum(sample.latency_s for sample in samples) / count
    at = sum(sample.output_tokens for sample in samples) / count
    along = sum((sample.output_tokens - at) ** 2 for sample in samples)
    across = sum((sample.output_tokens - at) * (sample.latency_s - mean) for sample in samples)
    slope = max(0.0, across / along) if along else 0.0
    flat = Line(mean, at, slope, 0.0)
    logs = [math.log(max(1e-9, sample.latency_s) / max(1e-9, flat.latency(sample.output_tokens))) for sample in samples]
    middle = sum(logs) / count
    return Line(mean, at, slope, math.sqrt(sum((log - middle) ** 2 for log in logs) / max(1, count - 2)))


def _point(limit: int, flight: float, samples: list[Sample], at: float, lengths: Mean) -> Point:
    fit = line(samples)
    tokens = lengths.mean
    latency = max(1e-9, fit.latency(tokens))
    length = fit.slope * max(0.0, lengths.long - tokens)
    chance = latency * (math.exp(1.645 * fit.spread) - 1)
    return Point(
        limit=limit,
        tokens_per_s=flight * tokens / latency,
        calls_per_s=flight / latency,
        latency_s=latency,
        p95_s=latency + math.hypot(length, chance),
        samples=len(samples),
        at=at,
        error=max(0.005, fit.spread / math.sqrt(len(samples))),
        in_flight=flight,
        tokens=tokens,
        slope=fit.slope,
        work=lengths.work,
        load_s=fit.mean / fmean(sample.work for sample in samples),
    )
