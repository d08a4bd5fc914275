"""The knee: the smallest number of calls in flight that gives nearly all the throughput a server has."""

from __future__ import annotations

from core.flow.limits.point import Point
from core.flow.limits.protocol import Gauges, LimitChange, Sample
from core.flow.limits.span import Span


class KneeLimit:
    """Finds and keeps the knee."""

    def __init__(
        self, start: int = 16, floor: int = 1, ceiling: int = 1024, slo_p95_s: float | None = None, *, seed: int = 0
    ) -> None:
        self._span = Span(start, floor, ceiling)
        self.slo_p95_s = slo_p95_s
        self.phase = "ramp"
        self.points: tuple[Point, ...] = ()

    def __repr__(self) -> str:
        return f"<KneeLimit {self.phase} {self._span!r}>"

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return self._span.limit

    def bound(self, at: float, floor: int, ceiling: int) -> LimitChange | None:
        """Stay within."""
        return self._span.bound(floor, ceiling, self.phase)

    def started(self, at: float, in_flight: int) -> None:
        """A call was sent."""

    def ended(self, sample: Sample) -> LimitChange | None:
        """A call came back."""
        return None

    def tick(self, at: float, in_flight: int, waiting: int) -> LimitChange | None:
        """Time passes."""
        return None

    def down(self, at: float) -> LimitChange | None:
        """The breaker opened."""
        return self._span.move(1, "The server stopped answering.", "down")

    def up(self, at: float) -> LimitChange | None:
        """It answers again."""
        return None

    def gauges(self, gauges: Gauges) -> LimitChange | None:
        """What the server says of itself."""
        return None
