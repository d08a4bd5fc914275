"""A limit that does what a test says, and remembers what it was told."""

from __future__ import annotations

from collections import deque

from core.flow.limits import Gauges, Limit, LimitChange, Sample
from core.pipeline.sizing import Sizing


class ScriptedLimit:
    """Answers the next fact with the next change of `queue`; `told` keeps every fact by its name."""

    def __init__(self, sizing: Sizing, start: int) -> None:
        self.sizing = sizing
        self.limit = sizing.within(start)
        self.queue: deque[int] = deque()
        self.told: list[tuple[object, ...]] = []
        self.samples: list[Sample] = []

    def enqueue(self, *limits: int) -> None:
        self.queue.extend(limits)

    def _next(self, *fact: object) -> LimitChange | None:
        self.told.append(fact)
        if not self.queue:
            return None
        old, self.limit = self.limit, self.queue.popleft()
        return LimitChange(old, self.limit, f"{fact[0]} said so.", "ramp")

    def bound(self, at: float, floor: int, ceiling: int) -> LimitChange | None:
        self.told.append(("bound", floor, ceiling))
        old, self.limit = self.limit, min(max(self.limit, floor), ceiling)
        return LimitChange(old, self.limit, "bounds", "ramp") if old != self.limit else None

    def started(self, at: float, in_flight: int) -> None:
        self.told.append(("started", at, in_flight))

    def ended(self, sample: Sample) -> LimitChange | None:
        self.samples.append(sample)
        return self._next("ended", sample.outcome)

    def tick(self, at: float, in_flight: int, waiting: int) -> LimitChange | None:
        return self._next("tick", in_flight, waiting)

    def down(self, at: float) -> LimitChange | None:
        return self._next("down")

    def up(self, at: float) -> LimitChange | None:
        return self._next("up")

    def gauges(self, gauges: Gauges) -> LimitChange | None:
        return self._next("gauges", gauges.waiting, gauges.preemptions)

    def facts(self, name: str) -> list[tuple[object, ...]]:
        """Every fact of that name."""
        return [fact for fact in self.told if fact[0] == name]


class Scripts:
    """Makes limits for the tuner and keeps them, in order."""

    def __init__(self) -> None:
        self.made: list[ScriptedLimit] = []

    def __call__(self, sizing: Sizing, start: int) -> Limit:
        self.made.append(ScriptedLimit(sizing, start))
        return self.made[-1]

    def of(self, resource: str) -> list[ScriptedLimit]:
        return [limit for limit in self.made if limit.sizing.resource == resource]
