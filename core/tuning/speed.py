"""How a call's time grows with the calls in flight at its endpoint, fitted to what was measured.

A batching server's step takes a + c N, so that a call with N in flight takes in proportion to 1 + gamma N (KNEE); a
server of K seats keeps those beyond waiting, so that it takes at least N / K times as long as with K. The two numbers
are found by weighted least squares on the logarithms of the mean times at each measured level; each kind of call has
its own constant factor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf, log

from core.base.views import Level, StageHistory

LEAST_GAMMA, MOST_GAMMA, STEPS = 1e-4, 4.0, 40
SPREAD = 1.6  # levels that differ less than this say nothing of how the time grows
SEATS_GAIN = 0.5  # a seat count must leave at most half of the squared error
FEWEST = 4  # calls that a level must have
REACH = 1.3  # how far beyond the measured levels the line is trusted

Points = Sequence[Sequence[Level]]


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds of a call in proportion to `slowdown(n)`.

    lowest and highest: the levels that were measured; known: whether they differ enough to tell anything; error: the
    fit's, as a share of a call's time. beyond: how the time goes on above the highest level, as a power of n (0: a call
    takes no longer than there, 1: there is no more throughput; None: along the fitted line).
    """

    gamma: float = 0.0
    seats: float = inf
    lowest: float = 1.0
    highest: float = 1.0
    known: bool = False
    error: float = 0.0
    beyond: float | None = None

    def slowdown(self, n: float) -> float:
        """How many times as long a call takes with n in flight, up to a constant factor."""
        if self.beyond is None or n <= self.highest:
            return self._fitted(n)
        return self._fitted(self.highest) * exp(self.beyond * log(n / self.highest))

    def _fitted(self, n: float) -> float:
        line = 1.0 + self.gamma * n
        return line if n <= self.seats else max(line, (1.0 + self.gamma * self.seats) * n / self.seats)

    def covers(self, n: float) -> bool:
        """Whether so many in flight are within, or near, what was measured."""
        return n <= self.highest * REACH and (self.known or n >= self.lowest / REACH)


def fit(history: Iterable[StageHistory]) -> Speed:
    """The speed of one endpoint, from all kinds of calls that were measured there."""
    points = [[level for level in h.levels if level.requests >= FEWEST and level.service_s > 0] for h in history]
    points = [levels for levels in points if levels]
    if not points:
        return Speed()
    seen = [level.in_flight for levels in points for level in levels]
    lowest, highest = min(seen), max(seen)
    if not any(_spread(levels) >= SPREAD for levels in points):
        return Speed(lowest=lowest, highest=highest)
    gamma, seats = _best(points, sorted(set(seen)))
    mean = _misfit(Speed(gamma, seats), points) / sum(level.requests for levels in points for level in levels)
    return Speed(gamma, seats, lowest, highest, known=True, error=exp(mean**0.5) - 1)


def _spread(levels: Sequence[Level]) -> float:
    return levels[-1].in_flight / levels[0].in_flight


def _best(points: Points, seen: Sequence[float]) -> tuple[float, float]:
    """(gamma, seats); a number of seats only where levels well beyond it fit much better with it."""
    gamma = _gamma(points, inf)
    least = _misfit(Speed(gamma), points)
    found = (gamma, inf)
    for seats in (n for n in seen if seen[0] < n <= seen[-1] / SPREAD):
        there = _gamma(points, seats)
        misfit = _misfit(Speed(there, seats), points)
        if misfit < SEATS_GAIN * least or (found[1] < inf and misfit < least):
            least, found = misfit, (there, seats)
    return found


def _gamma(points: Points, seats: float) -> float:
    """The best growth for that many seats, on a logarithmic grid, then between its neighbours."""
    step = exp(log(MOST_GAMMA / LEAST_GAMMA) / STEPS)
    grid = [0.0, *(LEAST_GAMMA * step**n for n in range(STEPS + 1))]
    best = min(grid, key=lambda gamma: _misfit(Speed(gamma, seats), points))
    if best <= LEAST_GAMMA:
        return best
    fine = [best * exp(log(step) * (n / 5 - 1)) for n in range(11)]
    return min(fine, key=lambda gamma: _misfit(Speed(gamma, seats), points))


def _misfit(speed: Speed, points: Points) -> float:
    """The weighted squared error of the logarithms; each kind of call has its own factor."""
    return sum(_own_misfit(speed, levels) for levels in points)


def _own_misfit(speed: Speed, levels: Sequence[Level]) -> float:
    errors = [(level.requests, log(level.service_s / speed.slowdown(level.in_flight))) for level in levels]
    weight = sum(count for count, _ in errors)
    mean = sum(count * error for count, error in errors) / weight
    return sum(count * (error - mean) * (error - mean) for count, error in errors)
