"""The thresholds of the search for the knee, and what all of its steps know."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from core.flow.limits.cohort import Lengths
from core.flow.limits.point import Point
from core.flow.limits.span import Span

# A doubling that gains less has gone past the knee.
GAIN = 0.07
# Nearly all of the throughput: what the limit held must give, and what the refinement aims at.
ENOUGH = 0.975
AIM = 0.99
# A latency this many times the lowest is taking from others rather than from an idle server.
BRAKE = 8.0
SLO_SHARE = 0.98
STRIDE = 1.41


@dataclass(frozen=True, slots=True)
class Step:
    """Where the search goes next and why: the limit is set, measured, and the Point sent back."""

    limit: int
    reason: str
    phase: str


Found = TypeVar("Found")
# Yields where to measure, is sent the measurements, returns what it found.
Plan: TypeAlias = Generator[Step, Point, Found]


@dataclass(slots=True)
class Facts:
    """What the steps of a search know beside their measurements.

    calm: the measurement with the lowest latency of this search; wall: the server rejected more than that; queueing:
    how many calls it said to hold in its own queue (0: none, or it does not say); hopeless: no limit meets the target.
    """

    span: Span
    slo_s: float | None = None
    lengths: Lengths = field(default_factory=Lengths)
    wall: int | None = None
    queueing: float = 0.0
    hopeless: bool = False
    calm: Point | None = None

    @property
    def top(self) -> int:
        """The highest limit that may be tried."""
        return max(self.span.floor, min(self.span.ceiling, self.wall or self.span.ceiling))

    @property
    def target_s(self) -> float:
        """What the p95 may be."""
        return float("inf") if self.slo_s is None else SLO_SHARE * self.slo_s

    def rate(self, point: Point) -> float:
        """Calls a second at today's mean size: what points are compared by."""
        return point.rate(self.lengths.mean, self.lengths.work)

    def latency(self, point: Point) -> float:
        """Seconds of a call of today's mean length."""
        return point.in_flight / self.rate(point)

    def strain(self, point: Point) -> float:
        """How many times the lowest latency of this search a call took; the lowest is remembered."""
        if self.calm is None or self.latency(point) < self.latency(self.calm):
            self.calm = point
        return self.latency(point) / self.latency(self.calm)

    def allows(self, point: Point) -> bool:
        """Whether it is inside the latency target and leaves others their share."""
        return self.meets(point) and self.strain(point) <= BRAKE

    def meets(self, point: Point) -> bool:
        """Whether it is inside the latency target."""
        return point.p95_s <= self.target_s
