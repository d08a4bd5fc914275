"""The refinement: one or two measurements where the points so far say that the knee is."""

from __future__ import annotations

import math

from core.flow.limits.point import Point
from core.flow.limits.ramp import per_doubling
from core.flow.limits.rules import AIM, BRAKE, ENOUGH, GAIN, STRIDE, Facts, Plan, Step

MOST = 2
# Limits that are closer than this are not told apart.
CLOSE = 1.12
CLIFF = 0.93
# What gives that share of the most is about as much: their mean is what there is, the most alone is the luckiest.
PLATEAU = 0.95


def refine(facts: Facts, seen: list[Point], why: str) -> Plan[str]:
    """Measure at most two limits near the knee into `seen`; the sentence for what follows."""
    for _ in range(MOST):
        goal = knee_guess(facts, seen) or _within(facts, seen)
        if goal is None:
            break
        seen.append((yield Step(goal, f"{why} The knee should be near {goal}.", "refine")))
        why = f"{goal} gives {seen[-1].calls_per_s:.1f} calls/s."
    return why


def knee_guess(facts: Facts, seen: list[Point]) -> int | None:
    """The limit to measure next; None where the neighbours of the knee are known well enough."""
    points = sorted(seen, key=lambda point: point.limit)
    good = [point for point in points if facts.allows(point)]
    if not good:
        return None
    best = max(good, key=facts.rate)
    bad = next((point for point in points if point.limit > best.limit and not facts.meets(point)), None)
    if bad is not None and good[-1] is best:
        return _between(best.limit, _interpolated(facts, best, bad), bad.limit)
    above = smallest_enough(facts, good)
    below = max((point for point in points if point.limit < above.limit), key=lambda p: p.limit, default=None)
    if below is None or above.limit <= CLOSE * below.limit:
        return _toward_cliff(facts, points, best)
    guess = _between(below.limit, _crossing(facts, points, best), above.limit)
    return guess or _toward_cliff(facts, points, best)


def _within(facts: Facts, seen: list[Point]) -> int | None:
    """A little above the next lower limit, where that is far below and gives about as much."""
    good = [point for point in seen if facts.allows(point)]
    above = smallest_enough(facts, good) if good else None
    if above is None or not _is_flat(facts, seen, above):
        return None
    below = max(point.limit for point in seen if point.limit < above.limit)
    return math.ceil(STRIDE * below) if above.limit > STRIDE**2 * below else None


def smallest_enough(facts: Facts, points: list[Point]) -> Point:
    """The smallest limit that gives nearly all the throughput there is."""
    most = max(facts.rate(point) for point in points)
    plateau = [facts.rate(point) for point in points if facts.rate(point) >= PLATEAU * most]
    enough = ENOUGH * sum(plateau) / len(plateau)
    return min((point for point in points if facts.rate(point) >= enough), key=lambda point: point.limit)


def _crossing(facts: Facts, points: list[Point], best: Point) -> float:
    """Where X = N / (a + c N) reaches nearly the best rate; a + c N: least squares over the points well below it."""
    goal = AIM * facts.rate(best)
    free = [point for point in points if point.limit < best.limit and facts.rate(point) < 0.93 * facts.rate(best)]
    if not free:
        return math.sqrt(points[0].limit * best.limit)
    laws = [(point.in_flight, point.in_flight / facts.rate(point)) for point in free]
    middle = sum(n for n, _ in laws) / len(laws)
    mean = sum(latency for _, latency in laws) / len(laws)
    along = sum((n - middle) ** 2 for n, _ in laws)
    slope = max(0.0, sum((n - middle) * (latency - mean) for n, latency in laws) / along) if along else 0.0
    rest = 1 - slope * goal
    return goal * max(1e-9, mean - slope * middle) / rest if rest > 0 else best.limit


def _interpolated(facts: Facts, good: Point, bad: Point) -> float:
    """Where the p95 reaches the target, straight between a limit that meets it and one that does not."""
    share = (facts.target_s - good.p95_s) / max(1e-9, bad.p95_s - good.p95_s)
    return good.limit + share * (bad.limit - good.limit)


def _between(low: int, guess: float, high: int) -> int | None:
    """The guess, unless it is as good as one of the two that are known."""
    inside = math.ceil(guess)
    if inside * CLOSE >= high or inside <= low * 1.04:
        return None
    return inside


def _toward_cliff(facts: Facts, points: list[Point], best: Point) -> int | None:
    """Half way to a limit where throughput falls again: the peak may lie before it."""
    over = next((point for point in points if point.limit > best.limit), None)
    if over is None or facts.rate(over) > CLIFF * facts.rate(best) or over.limit < 1.5 * best.limit:
        return None
    return round(math.sqrt(best.limit * over.limit))


def confirm(facts: Facts, seen: list[Point], why: str) -> Plan[tuple[Point, str]]:
    """Look once beyond the chosen limit, unless that is known: (the point to hold, why)."""
    while True:
        good = [point for point in seen if facts.allows(point)] or least_bad(facts, seen)
        chosen = smallest_enough(facts, good)
        goal = min(facts.top, math.ceil(chosen.limit * STRIDE))
        known = _is_flat(facts, seen, chosen)
        known = known or any(1.15 * chosen.limit <= point.limit <= 2.2 * chosen.limit for point in seen)
        if facts.hopeless:
            return (
                chosen,
                f"No limit meets {facts.slo_s} s: {chosen.limit} has a p95 of {chosen.p95_s:.1f} s, about the lowest.",
            )
        if known or goal <= CLOSE * chosen.limit or _is_too_far(facts, chosen, goal):
            return chosen, why
        seen.append((yield Step(goal, f"{why} A look beyond {chosen.limit}.", "confirm")))
        why = f"{chosen.limit} -> {goal} gave {seen[-1].calls_per_s / chosen.calls_per_s - 1:+.0%}."


def _is_flat(facts: Facts, seen: list[Point], chosen: Point) -> bool:
    """Whether even the way up to it gained next to nothing: what lies beyond then gains no more."""
    below = max((point for point in seen if point.limit < chosen.limit), key=lambda point: point.limit, default=None)
    return below is not None and per_doubling(facts, below, chosen) < 2 * GAIN


def _is_too_far(facts: Facts, chosen: Point, goal: int) -> bool:
    """Whether the target or the brake forbids it, if all that is added only waits."""
    worst = goal / chosen.limit
    return chosen.p95_s * worst > (facts.slo_s or math.inf) or facts.strain(chosen) * worst > BRAKE


def least_bad(facts: Facts, seen: list[Point]) -> list[Point]:
    """Where no limit meets the target: those whose p95 is nearly the lowest there is."""
    facts.hopeless = True
    lowest = min(point.p95_s for point in seen)
    return [max((point for point in seen if point.p95_s <= 1.1 * lowest), key=lambda point: point.limit)]
