"""What an operator's workload offers: how many calls at a time, and of what size."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.sim.server import Call

# (number of the call, second, dice) -> prompt tokens, output tokens
Sizes = Callable[[int, float, random.Random], tuple[int, int]]
ALL = 10**9


def lognormal(mean: float, cv: float) -> Callable[[random.Random], float]:
    """A positive size of that mean; cv: standard deviation over mean."""
    sigma = math.sqrt(math.log(1 + cv * cv))
    mu = math.log(mean) - sigma * sigma / 2
    return lambda rng: math.exp(rng.gauss(mu, sigma))


def answers(output: float = 200.0, cv: float = 0.4, prompt: int = 600) -> Sizes:
    """Answers of lognormal length."""
    draw = lognormal(output, cv)
    return lambda number, at, rng: (prompt, max(1, round(draw(rng))))


def shifting(at_s: float, before: Sizes, after: Sizes) -> Sizes:
    """Answers that change their length in mid-run."""
    return lambda number, at, rng: (before if at < at_s else after)(number, at, rng)


def restaurants(aspect: float = 100.0, total: float = 200.0) -> Sizes:
    """Three aspect summaries and then a total one per restaurant; totals begin once the first restaurants are read."""
    short, long = answers(aspect, 0.3, 700), answers(total, 0.3, 450)
    return lambda number, at, rng: (long if number > 64 and number % 4 == 3 else short)(number, at, rng)


@dataclass(frozen=True, slots=True)
class Demand:
    """calls: so many in all; at_once: as many as the application keeps going (None: always more than any limit), by
    second; service_s and service_cv: seconds of work instead of tokens (a search server)."""

    sizes: Sizes | None = None
    calls: int = ALL
    at_once: Callable[[float], int] | None = None
    service_s: float = 1.0
    service_cv: float = 0.5

    def offers(self, rng: random.Random) -> Offers:
        """A run of it."""
        return Offers(self, rng)


class Offers:
    """The calls of one run."""

    def __init__(self, demand: Demand, rng: random.Random) -> None:
        self._demand = demand
        self._rng = rng
        self._left = demand.calls
        self._number = 0
        self._again: list[Call] = []
        self._service = lognormal(demand.service_s, demand.service_cv)

    @property
    def over(self) -> bool:
        """Nothing is left to be sent."""
        return not self._left and not self._again

    def waiting(self, at: float, in_flight: int) -> int:
        """How many calls could be sent now."""
        left = self._left + len(self._again)
        return left if self._demand.at_once is None else min(left, max(0, self._demand.at_once(at) - in_flight))

    def take(self, at: float) -> Call:
        """The next call."""
        if self._again:
            return self._again.pop()
        self._left -= 1
        self._number += 1
        if self._demand.sizes is None:
            return Call(0, 0, self._service(self._rng))
        prompt, output = self._demand.sizes(self._number, at, self._rng)
        return Call(prompt, output, output)

    def back(self, call: Call) -> None:
        """A call that was not answered is sent again later."""
        self._again.append(Call(call.prompt, call.size, call.size or call.work))
