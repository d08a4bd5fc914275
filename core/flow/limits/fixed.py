"""A limit that only the operator moves."""

from __future__ import annotations

from core.flow.gate import check_limit
from core.flow.limits.protocol import Gauges, LimitChange, Sample
from core.flow.limits.span import Span


class FixedLimit:
    """The operator's hand: what is set is in force, within the bounds, until it is set again."""

    def __init__(self, limit: int, *, floor: int = 1, ceiling: int = 100_000) -> None:
        self._wanted = check_limit(limit)
        self._span = Span(limit, floor, ceiling)

    def __repr__(self) -> str:
        return f"<FixedLimit {self.limit}>"

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return self._span.limit

    def set(self, at: float, limit: int, reason: str) -> LimitChange | None:
        """Another limit, in the operator's words; ConfigError unless a whole number of at least 1."""
        self._wanted = check_limit(limit)
        return self._span.move(limit, reason, "fixed")

    def bound(self, at: float, floor: int, ceiling: int) -> LimitChange | None:
        """Stay within; what was set comes back into force where wider bounds allow it again."""
        change = self._span.bound(floor, ceiling, "fixed")
        return change or self._span.move(self._wanted, f"The operator allows {floor} to {ceiling}.", "fixed")

    def started(self, at: float, in_flight: int) -> None:
        """Nothing follows from it."""

    def ended(self, sample: Sample) -> LimitChange | None:
        """Nothing follows from it."""

    def tick(self, at: float, in_flight: int, waiting: int) -> LimitChange | None:
        """Nothing follows from it."""

    def down(self, at: float) -> LimitChange | None:
        """The breaker alone stops the calls."""

    def up(self, at: float) -> LimitChange | None:
        """The operator's number holds at once."""

    def gauges(self, gauges: Gauges) -> LimitChange | None:
        """Nothing follows from them."""
