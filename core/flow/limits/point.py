"""What was measured at one limit."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """A limit and what it gave; times in seconds, `at` monotonic: when the measurement was complete.

    latency_s and p95_s are those of a call of mean length (`tokens` output tokens; 0: a resource without any) and of a
    long one (95th percentile); samples: answers measured; in_flight: the mean number of calls there really were;
    error: the relative standard error of latency and throughput (0.03: 3 %); slope: seconds per output token; work:
    that of a call of mean size (0: unknown), load_s: seconds that a unit of work was in flight.
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
    work: float = 0.0
    load_s: float = 0.0

    def rate(self, tokens: float, work: float = 0.0) -> float:
        """Calls a second if they were that long and that much work: different mixes are compared at one size.

        How long a call takes depends on its own length, which the line corrects for, and on the work of those beside
        it, for which it is scaled. Either alone errs twice as much as the geometric mean of the two, where short calls
        come in floods and long ones follow.
        """
        own = max(1e-9, self.latency_s + self.slope * (tokens - self.tokens), self.latency_s / 4)
        beside = self.load_s * work
        return self.in_flight / (math.sqrt(own * beside) if beside else own)


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
        work=mean(one.work, other.work),
        load_s=mean(one.load_s, other.load_s),
    )
