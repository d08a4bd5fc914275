"""The ramp: up in great strides while that pays, and down where the start was already too much."""

from __future__ import annotations

import math

from core.flow.limits.point import Point, pool
from core.flow.limits.rules import BRAKE, ENOUGH, GAIN, Facts, Plan, Step

# With a relative error above this, a verdict near the threshold is worth a second look.
VAGUE = 0.04
# A doubling that gains so much may be followed by a quadrupling; more than all of it again is a measurement gone wrong.
BOLD = (0.65, 1.0)


def ramp(facts: Facts, seen: list[Point]) -> Plan[str]:
    """Measure higher and higher limits into `seen`, from its last one; why it stopped."""
    while (why := halt(facts, seen)) is None:
        goal, reason = _next(facts, seen)
        if goal <= seen[-1].limit:
            return reason
        seen.append((yield Step(goal, reason, "ramp")))
        if _is_vague(facts, seen):
            again = yield Step(goal, "The gain is within the noise: measured once more.", "ramp")
            seen[-1] = pool(seen[-1], again)
    return why


def descend(facts: Facts, seen: list[Point], why: str) -> Plan[str]:
    """Halve the limit while the lowest one seen still gives all the throughput, or misses the latency target."""
    while (lowest := min(seen, key=lambda point: point.limit)).limit > facts.span.floor:
        most = max(facts.rate(point) for point in seen)
        if facts.meets(lowest) and facts.rate(lowest) < ENOUGH * most:
            break
        goal = max(facts.span.floor, _lower(facts, lowest))
        seen.append((yield Step(goal, f"{why} Fewer may do.", "refine")))
        why = f"{lowest.limit} -> {goal} kept {_percent(facts.rate(seen[-1]) / most)} of the throughput."
    return why


def _lower(facts: Facts, lowest: Point) -> int:
    if facts.meets(lowest):
        return lowest.limit // 2
    return int(lowest.limit * max(0.25, min(0.75, facts.target_s / lowest.p95_s)))


def halt(facts: Facts, seen: list[Point]) -> str | None:
    """Why the ramp ends here; None where it goes on."""
    last = seen[-1]
    if not facts.meets(last):
        return f"{last.limit} has a p95 of {last.p95_s:.1f} s (target {facts.slo_s:.1f} s): stopped."
    if (strain := facts.strain(last)) > BRAKE:
        return f"{last.limit} made a call take {strain:.0f} times as long: stopped, others may share it."
    if facts.queueing:
        return f"At {last.limit} the server holds {facts.queueing:.0f} in its own queue: stopped."
    if len(seen) > 1 and (gain := per_doubling(facts, seen[-2], last)) < GAIN:
        return f"{seen[-2].limit} -> {last.limit} gained {_percent(gain)} per doubling (< {GAIN:.0%}): stopped."
    return f"{last.limit} is the highest that may be tried." if last.limit >= facts.top else None


def per_doubling(facts: Facts, low: Point, high: Point) -> float:
    """The relative gain of throughput per doubling of the limit between two points."""
    doublings = math.log2(max(high.limit, low.limit + 1) / low.limit)
    return math.exp(math.log(facts.rate(high) / facts.rate(low)) / doublings) - 1


def _is_vague(facts: Facts, seen: list[Point]) -> bool:
    error = math.hypot(seen[-1].error, seen[-2].error) / math.log2(seen[-1].limit / seen[-2].limit)
    return error > VAGUE and abs(per_doubling(facts, seen[-2], seen[-1]) - GAIN) < 2 * error


def _next(facts: Facts, seen: list[Point]) -> tuple[int, str]:
    last = seen[-1]
    gain = per_doubling(facts, seen[-2], last) if len(seen) > 1 else BOLD[1]
    # Gains only fall: after a stride of two a great one is chance.
    bold = BOLD[0] < gain <= BOLD[1] and (len(seen) == 1 or last.limit >= 4 * seen[-2].limit)
    goal = min(last.limit * (4 if bold else 2), facts.top)
    reason = f"{last.limit} gives {last.calls_per_s:.1f} calls/s; trying more."
    if len(seen) > 1:
        reason = f"{seen[-2].limit} -> {last.limit} gained {_percent(gain)} per doubling; trying more."
    # At worst all that is added waits, and the latency grows in proportion: so far the target is safe.
    safe = int(last.limit * facts.target_s / last.p95_s) if facts.slo_s else goal
    if safe < goal:
        return safe, f"{last.limit} has a p95 of {last.p95_s:.1f} s; the target of {facts.slo_s:.1f} s is safe so far."
    return goal, reason


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
