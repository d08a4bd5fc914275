"""The hold: keep the knee, look now and then whether it has moved, and notice when the server changes."""

from __future__ import annotations

import math

from core.flow.limits.cusum import Cusum
from core.flow.limits.point import Point
from core.flow.limits.rules import ENOUGH, GAIN, STRIDE, Facts, Plan, Step

PROBE_S = 90.0
# A probe is two changes, there and back; there shall be at most one in ten latencies.
PROBE_LATENCIES = 25.0
PATIENCE = 1.5
MOST_PATIENCE = 6.0
SMALLEST_STRIDE = 1.06
AT_TARGET = 0.75


class Hold:
    """Holds a limit for ever. Probes go up and down in turn, A-B-A, the less often the less they find.

    When the server has become slower or faster, strides are probed at once, in the direction that it calls for, as
    long as they are kept. A comparison with the limit before and after is not fooled by a speed that drifts.
    """

    def __init__(self, facts: Facts, limit: int) -> None:
        self._facts = facts
        self._limit = limit
        self._patience = 1.0
        self._kept = 1.0
        self._up = True

    def plan(self, why: str) -> Plan[None]:
        """The limit, again and again, with probes between."""
        point = yield self._stay(why)
        while True:
            point, alarm = yield from self._watch(point)
            if alarm is None:
                point = yield from self._look(point)
            else:
                point = yield from self._stride(point, alarm)

    def _stay(self, why: str) -> Step:
        return Step(self._limit, why, "hold")

    def _watch(self, reference: Point) -> Plan[tuple[Point, str | None]]:
        """Until the next probe is due, or the server has changed: what is measured by then, and what an alarm says."""
        cusum, point = Cusum(reference), reference
        until = reference.at + self._patience * max(PROBE_S, PROBE_LATENCIES * reference.latency_s)
        while point.at < until:
            point = yield self._stay(f"{self._limit} is held.")
            if (alarm := cusum.add(point)) is not None:
                return point, alarm
        return cusum.reference, None

    def _look(self, point: Point) -> Plan[Point]:
        """A probe as every now and then."""
        up, self._up = self._up or self._is_at_target(point), not self._up
        point, kept = yield from self._probe(
            point, STRIDE if up else 1 / STRIDE, "A look at {}, as every now and then."
        )
        self._patience = 1.0 if kept else min(MOST_PATIENCE, PATIENCE * self._patience)
        while kept and up:
            point, kept = yield from self._probe(point, STRIDE, "That was worth it. A look at {}.")
        return point

    def _stride(self, point: Point, alarm: str) -> Plan[Point]:
        """Strides after an alarm, greater and greater as long as they are kept."""
        self._patience = self._kept = 1.0
        down = "slower" in alarm
        point, kept = yield from self._probe(point, 1 / STRIDE if down else 2.0, alarm + " A look at {}.")
        while kept:
            point, kept = yield from self._probe(point, 0.5 if down else 2.0, alarm + " A look further, at {}.")
        return point

    def _probe(self, before: Point, stride: float, why: str) -> Plan[tuple[Point, bool]]:
        """There and back; the last measurement at the limit that is held from now on, and whether it is another."""
        goal = self._goal(before, stride)
        if goal is None:
            return before, False
        there = yield Step(goal, why.format(goal), "probe")
        back = yield self._stay(f"Back to {self._limit} to compare.")
        ratio = self._ratio(before, there, back)
        if not self._accepts(goal, ratio, there, back):
            return back, False
        self._kept = 1.0 if goal > self._limit else self._kept * min(1.0, ratio)
        reason = f"{self._limit} -> {goal} gives {ratio - 1:+.0%}: kept."
        self._limit = goal
        return (yield self._stay(reason)), True

    def _is_at_target(self, point: Point) -> bool:
        """Whether the latency target is what holds the limit down: fewer would then only give less."""
        return self._facts.slo_s is not None and point.p95_s > AT_TARGET * self._facts.slo_s

    def _goal(self, before: Point, stride: float) -> int | None:
        """Where to look; None where that is pointless or would miss the latency target."""
        facts = self._facts
        if stride < 1:
            lower = max(facts.span.floor, math.floor(self._limit * stride))
            return lower if lower < self._limit and self._kept > ENOUGH else None
        goal = min(facts.top, math.ceil(self._limit * stride))
        if facts.slo_s is not None:
            # Half of what is added may wait: latency then grows with the square root.
            goal = min(goal, int(self._limit * (facts.slo_s / before.p95_s) ** 2))
        return goal if goal > self._limit * SMALLEST_STRIDE and not facts.hopeless else None

    def _ratio(self, before: Point, there: Point, back: Point) -> float:
        """The gain of throughput. A speed that drifts beyond the noise counts with the better of before and after."""
        a, b = math.log(self._facts.rate(before)), math.log(self._facts.rate(back))
        if abs(a - b) > 2 * math.hypot(before.error, back.error):
            return self._facts.rate(there) / math.exp(max(a, b))
        share = back.error**2 / (before.error**2 + back.error**2)
        return self._facts.rate(there) / math.exp(share * a + (1 - share) * b)

    def _accepts(self, goal: int, ratio: float, there: Point, back: Point) -> bool:
        if goal < self._limit:
            return self._kept * ratio >= ENOUGH
        if not self._facts.allows(there):
            return False
        worth = GAIN * math.log2(goal / self._limit)
        return ratio - 1 >= max(worth, min(GAIN, 1.5 * math.hypot(there.error, back.error)))
