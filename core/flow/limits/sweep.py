"""The sweep: a schedule of limits, each measured the same way, for the frontier of throughput against latency."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.base.records import Outcome
from core.flow.gate import check_limit
from core.flow.limits.cohort import SETTLE, SHARE, Cohort
from core.flow.limits.point import Point
from core.flow.limits.protocol import Gauges, LimitChange, Sample
from core.flow.limits.ramp import descend, ramp
from core.flow.limits.refine import knee_guess, least_bad
from core.flow.limits.rules import Facts, Plan, Step
from core.flow.limits.span import Span

# Adaptively chosen limits beyond the ramp's, at most.
DENSE = 4
APART = 1.25
# The knee on a chart: the smallest limit with this share of the most throughput.
KNEE = 0.95
PLATEAU = 0.92
SAMPLES = 48
# Where latencies scatter, as many samples as make the relative error that small, but at most so many.
PRECISE = 0.03
MOST_SAMPLES = 240
ENOUGH_CALLS = 8
MOST_FAILED = 0.5
MOST_VOID = 2


class SweepLimit:
    """Steps through `limits` (None: chosen as it goes, dense at the knee), never above the ceiling, then is `finished`.

    `points` are the measurements, `notes` say in sentences what was left out and why: a limit at which more than half
    of the calls failed ends the sweep upward, as does one that the application cannot fill. When it is finished the
    limit is that of the knee. samples: at least so many calls are measured at each limit.
    """

    def __init__(
        self,
        limits: Sequence[int] | None = None,
        *,
        start: int = 4,
        floor: int = 1,
        ceiling: int = 256,
        slo_p95_s: float | None = None,
        samples: int = SAMPLES,
    ) -> None:
        self.finished = False
        self.notes: list[str] = []
        self._samples = samples
        self._grid = None if limits is None else sorted({check_limit(limit) for limit in limits})
        self._facts = Facts(Span(self._grid[0] if self._grid else start, floor, ceiling), slo_p95_s)
        self._seen: list[Point] = []
        self._failed = self._ended = 0
        self._changed_at = float("-inf")
        self._plan = self._adaptive(self.limit) if self._grid is None else self._given(self._grid)
        self._cohort = Cohort(self.limit, 0)
        self._begin(float("-inf"))

    def __repr__(self) -> str:
        state = "finished" if self.finished else repr(self._cohort)
        return f"<SweepLimit {self.limit}, {len(self._seen)} points, {state}>"

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return self._facts.span.limit

    @property
    def points(self) -> tuple[Point, ...]:
        """What was measured, by limit."""
        return tuple(sorted(self._seen, key=lambda point: point.limit))

    def knee(self) -> Point | None:
        """The smallest limit with nearly all the throughput, inside the latency target where one is met at all."""
        if not self._seen:
            return None
        good = [point for point in self._seen if self._facts.meets(point)] or least_bad(self._facts, self._seen)
        rate = self._facts.rate
        # The mean of what is about as much as the most: the most alone is the luckiest measurement.
        plateau = [rate(point) for point in good if rate(point) >= PLATEAU * max(map(rate, good))]
        enough = KNEE * sum(plateau) / len(plateau)
        return min((point for point in good if rate(point) >= enough), key=lambda point: point.limit)

    def _given(self, grid: list[int]) -> Plan[None]:
        """Each limit of a grid, upward."""
        top = self._facts.span.ceiling
        if grid[-1] > top:
            self.notes.append(f"{', '.join(str(n) for n in grid if n > top)} left out: above the ceiling of {top}.")
        for limit in grid:
            if limit <= self._facts.top:
                self._seen.append((yield Step(limit, f"{limit} is next.", "sweep")))

    def _adaptive(self, start: int) -> Plan[None]:
        """The ramp, then where the knee should be, then its neighbours."""
        self._seen.append((yield Step(start, "The sweep begins.", "sweep")))
        why = yield from ramp(self._facts, self._seen)
        yield from descend(self._facts, self._seen, why)
        yield from self._dense()

    def _dense(self) -> Plan[None]:
        for _ in range(DENSE):
            goal = self._below_wall() or knee_guess(self._facts, self._seen) or self._neighbour()
            if goal is None or goal > self._facts.top:
                return
            self._seen.append((yield Step(goal, f"The knee should be near {goal}.", "sweep")))

    def _below_wall(self) -> int | None:
        """Half way from the highest limit measured to one at which calls failed."""
        highest = max((point.limit for point in self._seen), default=0)
        wall = self._facts.wall
        return round(math.sqrt(highest * wall)) if wall and highest and wall > APART * highest else None

    def _neighbour(self) -> int | None:
        """A limit beside the knee with nothing measured near it."""
        knee = self.knee()
        if knee is None:
            return None
        for goal in (round(knee.limit / APART), round(knee.limit * APART)):
            near = any(goal / 1.1 < point.limit < goal * 1.1 for point in self._seen)
            if not near and self._facts.span.floor <= goal <= self._facts.top:
                return goal
        return None

    def _begin(self, at: float) -> LimitChange | None:
        step = next(self._plan, None)
        return self._finish() if step is None else self._take(step, at)

    def _take(self, step: Step, at: float) -> LimitChange | None:
        change = self._facts.span.move(min(step.limit, self._facts.top), step.reason, "sweep")
        nothing_before = at == float("-inf")
        self._cohort = Cohort(self.limit, 0 if nothing_before else None, at, self._size())
        self._failed = self._ended = 0
        self._changed_at = at
        return change

    def _size(self) -> int:
        # The most of all points: where calls queue they share their luck, and scatter less than they err.
        scatter = max(((point.error / PRECISE) ** 2 * point.samples for point in self._seen), default=0.0)
        return max(self._samples, min(MOST_SAMPLES, math.ceil(scatter)))

    def _finish(self) -> LimitChange | None:
        self.finished = True
        knee = self.knee()
        if knee is None:
            self.notes.append("Nothing could be measured.")
            return None
        return self._facts.span.move(knee.limit, f"The sweep is over: the knee is at {knee.limit}.", "sweep")

    def started(self, at: float, in_flight: int) -> None:
        """A call was sent."""
        self._cohort.started(at)

    def ended(self, sample: Sample) -> LimitChange | None:
        """A call came back; the next limit when that completes a measurement, or the end of one where calls fail."""
        if self.finished:
            return None
        if sample.outcome is Outcome.SUCCESS:
            self._facts.lengths.add(sample.output_tokens, sample.work)
        if self._is_failing(sample):
            share = f"{100 * self._failed / self._ended:.0f} % of {self._ended} calls failed"
            return self._give_up(sample.ended_at, f"{self.limit} was ended early: {share}.")
        point = self._cohort.ended(sample, self._facts.lengths)
        if point is None:
            return self._unfilled(sample.ended_at)
        return self._next(point)

    def _next(self, point: Point) -> LimitChange | None:
        try:
            return self._take(self._plan.send(point), point.at)
        except StopIteration:
            return self._finish()

    def _is_failing(self, sample: Sample) -> bool:
        """Whether most calls sent at this limit fail."""
        if sample.started_at > self._changed_at:
            self._ended += 1
            self._failed += sample.outcome is not Outcome.SUCCESS
        return self._ended >= ENOUGH_CALLS and self._failed > MOST_FAILED * self._ended

    def _unfilled(self, at: float) -> LimitChange | None:
        if self._cohort.void < MOST_VOID:
            return None
        return self._give_up(at, f"{self.limit} was ended early: the application did not keep as many calls in flight.")

    def _give_up(self, at: float, why: str) -> LimitChange | None:
        """Nothing at or above this limit is measured any more; what lies below may still be."""
        self.notes.append(why)
        self._facts.wall = max(1, self.limit - 1)
        if self._grid is None and self._seen:
            self._plan = self._dense()
            return self._begin(at)
        return self._finish()

    def bound(self, at: float, floor: int, ceiling: int) -> LimitChange | None:
        """Never measure beyond; what has been measured stays."""
        return self._facts.span.bound(floor, ceiling, "sweep")

    def tick(self, at: float, in_flight: int, waiting: int) -> LimitChange | None:
        """Only answers count."""

    def down(self, at: float) -> LimitChange | None:
        """The server stopped answering: this limit, and those above it, are given up."""
        return (
            None if self.finished else self._give_up(at, f"{self.limit} was ended early: the server stopped answering.")
        )

    def up(self, at: float) -> LimitChange | None:
        """What is left of the sweep goes on by itself."""

    def gauges(self, gauges: Gauges) -> LimitChange | None:
        """A sweep measures on: what the server says of its queue is only for the search."""


def calls_needed(limits: Sequence[int], samples: int = SAMPLES) -> int:
    """About how many calls a sweep of these limits sends, for its cost beforehand; more where latencies scatter."""
    counted = sum(math.ceil(SETTLE * limit) + max(samples, math.ceil(SHARE * limit)) for limit in limits)
    return counted + max(limits, default=0)
