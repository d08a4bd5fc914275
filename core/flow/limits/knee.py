"""The knee: the smallest number of calls in flight that gives nearly all the throughput a server has.

Throughput first: ramp up while more calls in flight pay, refine where the points say the knee is, then hold it with
rare probes. Apart from that and stronger: the operator's bounds, a latency target, cuts where the server rejects calls
as too many at once, and the way back after an outage. Quotas a minute are paced elsewhere and change nothing here.
"""

from __future__ import annotations

import math
from collections import deque

from core.base.errors import ConfigError
from core.base.records import Outcome
from core.flow.limits.cascade import Cascade
from core.flow.limits.cohort import Cohort, settling
from core.flow.limits.hold import Hold
from core.flow.limits.point import Point
from core.flow.limits.protocol import Gauges, LimitChange, Sample
from core.flow.limits.queueing import Queueing
from core.flow.limits.ramp import descend, ramp
from core.flow.limits.recovery import Recovery
from core.flow.limits.refine import confirm, refine
from core.flow.limits.rules import Facts, Plan, Step
from core.flow.limits.slo import SloGuard
from core.flow.limits.span import Span
from core.flow.limits.wall import Wall

KEPT = 500
CUT = 0.7
SLO_CUT = 0.8
# The relative error that a measurement shall have outside the ramp, and the most calls spent on it
# (and the most for each seat); unknown: how much the latencies scatter where nothing was measured yet.
CAREFUL = 0.05
UNKNOWN = 0.3
MOST_CAREFUL = 100
MOST_ROUNDS = 6


class KneeLimit:
    """Finds and keeps the knee between floor and ceiling, with at most 5 % of the answers later than `slo_p95_s`.

    `phase` says what it is about (ramp, refine, confirm, hold, probe, down, recover), `reason` why, `points` what was
    measured.
    """

    def __init__(self, start: int = 16, floor: int = 1, ceiling: int = 1024, slo_p95_s: float | None = None) -> None:
        if slo_p95_s is not None and not slo_p95_s > 0:
            msg = f"slo_p95_s is {slo_p95_s!r}; it must be seconds above 0, or None where there is no target."
            raise ConfigError(msg)
        self.phase = "ramp"
        self._facts = Facts(Span(start, floor, ceiling), slo_p95_s)
        self._cascade = Cascade()
        self._guard = None if slo_p95_s is None else SloGuard(slo_p95_s)
        self._recovery = Recovery()
        self._queueing = Queueing()
        self._wall = Wall()
        self._points: deque[Point] = deque(maxlen=KEPT)
        self._plan = self._life(start, "The search begins.", burst=True)
        self._held: int | None = None
        self._is_idle = self._told = False
        self.reason = next(self._plan).reason
        self._cohort = Cohort(self.limit, settle=0, quick=slo_p95_s is None)

    def __repr__(self) -> str:
        return f"<KneeLimit {self.phase} {self._facts.span!r}, {len(self._points)} points, {self._cohort!r}>"

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return self._facts.span.limit

    @property
    def points(self) -> tuple[Point, ...]:
        """What was measured, in order of time."""
        return tuple(self._points)

    @property
    def slo_p95_s(self) -> float | None:
        """The latency target; None without one."""
        return self._facts.slo_s

    def bound(self, at: float, floor: int, ceiling: int) -> LimitChange | None:
        """Stay within from now on; a higher ceiling is searched where the old one was reached."""
        span = self._facts.span
        was_held_back = span.limit == span.ceiling < ceiling
        change = span.bound(floor, ceiling, self.phase)
        if change is not None or was_held_back:
            self._facts.hopeless = self._told = False
            again = self._restart(at, self.limit, f"The operator allows {floor} to {ceiling}.")
            change = change or again
        return change

    def started(self, at: float, in_flight: int) -> None:
        """A call was sent."""
        self._cascade.sent(in_flight)
        self._cohort.started(at)

    def ended(self, sample: Sample) -> LimitChange | None:
        """A call came back: it may complete a measurement, or say that there are too many."""
        if sample.outcome is Outcome.SUCCESS:
            self._facts.lengths.add(sample.output_tokens, sample.work)
        if self._cascade.hit(sample):
            return self._rejected(sample)
        if (why := self._late(sample)) is not None:
            again = self._hold_at if self.phase in {"hold", "probe"} else self._restart
            return again(sample.ended_at, self.limit * SLO_CUT, why)
        point = self._cohort.ended(sample, self._facts.lengths)
        return None if point is None or self._recovery.on else self._measured(point)

    def _late(self, sample: Sample) -> str | None:
        if self._guard is None or sample.outcome is not Outcome.SUCCESS or self._facts.hopeless:
            return None
        why = self._guard.late(sample.started_at, sample.ended_at)
        return why if self.limit > self._facts.span.floor else None

    def _rejected(self, sample: Sample) -> LimitChange | None:
        room = self._wall.hit(sample.ended_at, max(min(self._cascade.room, self.limit - 1), int(self.limit * CUT)))
        self._facts.wall = room
        why = f"The server rejected calls beyond {room} as too many at once."
        if self.phase == "probe" and self._held:
            return self._hold_at(sample.ended_at, min(room, self._held), why)
        return self._restart(sample.ended_at, room, why)

    def _measured(self, point: Point) -> LimitChange | None:
        if self._is_idle:
            self._cohort = Cohort(self.limit, 0, point.at)
            return None
        self._points.append(point)
        return self._take(self._plan.send(point), point.at)

    def _take(self, step: Step, at: float) -> LimitChange | None:
        """Do what the plan says: another limit, or another look at the same."""
        self.phase, self.reason = step.phase, step.reason
        change = self._facts.span.move(min(step.limit, self._facts.top), step.reason, step.phase)
        self._cohort = Cohort(self.limit, settling(change), at, self._size(step), quick=self._is_quick(step))
        if step.phase == "hold":
            self._held = self.limit
            change = self._hopeless(change)
        if change:
            self._queueing.reset()
            self._facts.queueing = 0.0
        if change and self._guard:
            self._guard.since(at)
        return change

    def _hopeless(self, change: LimitChange | None) -> LimitChange | None:
        """Say once, of a target that no limit meets, what the best is that can be had: also where nothing moves."""
        if not self._facts.hopeless or self._told:
            return change
        self._told = True
        best = next((point for point in reversed(self._points) if point.limit == self.limit), self._points[-1])
        takes = "1 call at a time takes" if best.limit == 1 else f"{best.limit} calls at a time take"
        said = (
            f"No limit meets the target of {self.slo_p95_s:g} s: {takes} {best.p95_s:.1f} s at p95, about the lowest."
        )
        return LimitChange(change.old if change else self.limit, self.limit, said, "slo")

    def _size(self, step: Step) -> int:
        """How many calls to measure: in the ramp few do, later as many as make the error small."""
        spread = self._points[-1].error * math.sqrt(self._points[-1].samples) if self._points else UNKNOWN
        most = min(MOST_CAREFUL, MOST_ROUNDS * self.limit)
        return 0 if step.phase == "ramp" else min(most, math.ceil((spread / CAREFUL) ** 2))

    def _is_quick(self, step: Step) -> bool:
        return step.phase == "ramp" and self._facts.slo_s is None

    def _restart(self, at: float, start: float, why: str) -> LimitChange | None:
        self._held = None
        self._plan = self._life(self._facts.span.clamp(start), why)
        return self._take(next(self._plan), at)

    def _hold_at(self, at: float, limit: float, why: str) -> LimitChange | None:
        self._plan = self._life(self._facts.span.clamp(limit), why, searching=False)
        return self._take(next(self._plan), at)

    def _life(self, start: int, why: str, *, searching: bool = True, burst: bool = False) -> Plan[None]:
        """Search, then hold for ever."""
        if searching:
            chosen, why = yield from self._search(start, why, burst)
            start = chosen.limit
        yield from Hold(self._facts, start).plan(why)

    def _search(self, start: int, why: str, burst: bool) -> Plan[tuple[Point, str]]:
        self._facts.hopeless, self._facts.calm = False, None
        seen = [(yield Step(start, why, "ramp" if burst else "refine"))]
        why = yield from ramp(self._facts, seen)
        if burst and seen[0] is max(seen, key=self._facts.rate):
            # The first calls came all at once, into an idle server: no measure of what it gives for long.
            seen[0] = yield Step(seen[0].limit, f"{why} Back to the first to measure it well.", "refine")
        why = yield from descend(self._facts, seen, why)
        why = yield from refine(self._facts, seen, why)
        return (yield from confirm(self._facts, seen, why))

    def tick(self, at: float, in_flight: int, waiting: int) -> LimitChange | None:
        """Time passes: a wall is tried again some day, and after an outage the limit grows by the second."""
        self._is_idle = not waiting and in_flight < self.limit
        self._facts.wall = self._wall.at(at)
        goal = self._recovery.next(at, self.limit)
        if goal is None:
            return None
        if self.limit < self._recovery.goal:
            return self._facts.span.move(
                goal, f"It answers again: up to {self._recovery.goal}, step by step.", "recover"
            )
        again = self._hold_at if self._held else self._restart
        return again(at, self._recovery.end(), "It answers as before.")

    def down(self, at: float) -> LimitChange | None:
        """Nobody is served: the last good limit is remembered."""
        self._recovery.down(self._held or self.limit)
        self.phase = "down"
        return self._facts.span.move(1, "The server stopped answering.", "down")

    def up(self, at: float) -> LimitChange | None:
        """It answers again: a few calls, then more by the second."""
        self.phase = "recover"
        goal = self._recovery.up(at)
        return self._facts.span.move(goal, "The server answers again: a few calls first.", "recover")

    def gauges(self, gauges: Gauges) -> LimitChange | None:
        """What the server says of its queue ends the ramp."""
        self._facts.queueing = self._queueing.add(gauges)
        return None
