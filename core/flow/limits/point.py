"""What was measured at one limit."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """A limit and what it gave; times in seconds, `at` monotonic: when the measurement was complete.

    latency_s and p95_s are those of a call of mean length (`tokens` output tokens; 0: a resource without any) and of a
    long one (95th percentile); samples: answers measured; in_flight: the mean number of calls there really were;
    error: the relative standard error of latency and throughput (0.03: 3 %); slope: seconds per output token.
    """

    limit: int
    tokens_per_s: float
    calls_per_s: float
    latency_s: float
    p95_s: float
    samples: int
    at: float
    error: float
    in_flight: float
    tokens: float = 0.0
    slope: float = 0.0

    def rate(self, tokens: float) -> float:
        """Calls a second if they were that long: measurements of different mixes are compared at one length."""
        return self.in_flight / max(1e-9, self.latency_s + self.slope * (tokens - self.tokens), self.latency_s / 4)


def pool(one: Point, other: Point) -> Point:
    """Two measurements of the same limit as one, weighted by their samples."""
    count = one.samples + other.samples
    share = other.samples / count

    def mean(a: float, b: float) -> float:
        return a + share * (b - a)

    return Point(
        limit=other.limit,
        tokens_per_s=mean(one.tokens_per_s, other.tokens_per_s),
        calls_per_s=mean(one.calls_per_s, other.calls_per_s),
        latency_s=mean(one.latency_s, other.latency_s),
        p95_s=mean(one.p95_s, other.p95_s),
        samples=count,
        at=other.at,
        error=math.hypot((1 - share) * one.error, share * other.error),
        in_flight=mean(one.in_flight, other.in_flight),
        tokens=mean(one.tokens, other.tokens),
        slope=mean(one.slope, other.slope),
    )
