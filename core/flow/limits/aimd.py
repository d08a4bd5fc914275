"""Additive increase, multiplicative decrease (Chiu and Jain, 1989): for servers that reject rather than queue."""

from __future__ import annotations

from core.base.errors import ConfigError
from core.base.records import Outcome
from core.flow.limits.cascade import Cascade
from core.flow.limits.protocol import Gauges, LimitChange, Sample
from core.flow.limits.span import Span

USED = 0.75


class AimdLimit:
    """One more seat for every limit's worth of answers while it is used; `cut` of it once per cascade of rejections.

    It stops growing only where a server rejects: one that queues is filled up to the ceiling. Stray rejections and
    those of a quota a minute cut nothing.
    """

    def __init__(self, start: int = 16, floor: int = 1, ceiling: int = 1024, *, step: float = 1.0, cut: float = 0.7):
        if not (step > 0 and 0 < cut < 1):
            msg = f"step is {step!r} and cut is {cut!r}; step must be above 0, cut between 0 and 1."
            raise ConfigError(msg)
        self._span = Span(start, floor, ceiling)
        self._cascade = Cascade()
        self._step, self._share = step, cut
        self._credit = 0.0
        self._before = self._span.limit

    def __repr__(self) -> str:
        return f"<AimdLimit {self._span!r}, {self._cascade.events} cuts>"

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return self._span.limit

    def bound(self, at: float, floor: int, ceiling: int) -> LimitChange | None:
        """Stay within."""
        return self._span.bound(floor, ceiling, "aimd")

    def started(self, at: float, in_flight: int) -> None:
        """Rejections are counted against what was sent."""
        self._cascade.sent(in_flight)

    def ended(self, sample: Sample) -> LimitChange | None:
        """Grow on answers of a limit in use, cut on a cascade."""
        if self._cascade.hit(sample):
            self._credit = 0.0
            room = min(self.limit * self._share, self._cascade.room)
            return self._span.move(room, "The server rejected several calls as too many at once.", "cut")
        if sample.outcome is not Outcome.SUCCESS or sample.in_flight < USED * self.limit:
            return None
        return self._grow()

    def _grow(self) -> LimitChange | None:
        self._credit += self._step
        if self._credit < self.limit:
            return None
        whole, self._credit = int(self._credit // self.limit), self._credit % self.limit
        return self._span.move(self.limit + whole, f"{self.limit} were in use and none was rejected.", "grow")

    def tick(self, at: float, in_flight: int, waiting: int) -> LimitChange | None:
        """Time alone changes nothing."""

    def down(self, at: float) -> LimitChange | None:
        """Nobody is served: begin with one once it answers again."""
        self._before = max(self._before, self.limit)
        return self._span.move(1, "The server stopped answering.", "down")

    def up(self, at: float) -> LimitChange | None:
        """Half of what was in force before."""
        half, self._before = self._before * 0.5, 1
        return self._span.move(half, "The server answers again: half of the limit before.", "up")

    def gauges(self, gauges: Gauges) -> LimitChange | None:
        """Rejections alone count."""
