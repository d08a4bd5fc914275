"""What an operator's workload offers: how many calls at a time, and of what size."""

from __future__ import annotations

import heapq
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


@dataclass(frozen=True, slots=True)
class Kitchen:
    """Restaurants as the engine sends them: three aspects each once its search is back, the total summary when they are
    answered, the oldest restaurant first. So aspects go out in a flood where the limit rises, and their totals follow.

    aspect and total: mean output tokens; searches: so many at once, of search_s seconds.
    """

    items: int
    aspect: float = 24.0
    total: float = 83.0
    searches: int = 24
    search_s: float = 0.02

    def offers(self, rng: random.Random) -> Tables:
        """A run of it."""
        return Tables(self, rng)


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

    def answered(self, call: Call) -> None:
        """Nothing waits for an answer here."""


class Tables:
    """The restaurants of one run."""

    def __init__(self, kitchen: Kitchen, rng: random.Random) -> None:
        self._kitchen = kitchen
        self._rng = rng
        self._seated = 0
        self._missing = [3] * kitchen.items
        self._ready: list[tuple[int, int, Call]] = []
        self._serial = 0
        self._left = 4 * kitchen.items
        self._aspect, self._total = lognormal(kitchen.aspect, 0.47), lognormal(kitchen.total, 0.13)

    @property
    def over(self) -> bool:
        """Nothing is left to be sent."""
        return not self._left

    def waiting(self, at: float, in_flight: int) -> int:
        """How many calls could be sent now."""
        found = (1 + int(at / self._kitchen.search_s)) * self._kitchen.searches
        while self._seated < min(found, self._kitchen.items) and len(self._ready) < in_flight + 16:
            for _ in range(3):
                self._push(self._seated, 390, self._aspect(self._rng))
            self._seated += 1
        return len(self._ready)

    def _push(self, item: int, prompt: int, tokens: float) -> None:
        self._serial += 1
        size = max(9, round(tokens))
        heapq.heappush(self._ready, (item, self._serial, Call(prompt, size, size, item=item)))

    def take(self, at: float) -> Call:
        """The oldest restaurant's next call."""
        self._left -= 1
        return heapq.heappop(self._ready)[2]

    def answered(self, call: Call) -> None:
        """After the third aspect comes the total summary."""
        self._missing[call.item] -= 1
        if not self._missing[call.item]:
            self._push(call.item, 810, self._total(self._rng))

    def back(self, call: Call) -> None:
        """A call that was not answered is sent again."""
        self._left += 1
        self._serial += 1
        again = Call(call.prompt, call.size, call.size, item=call.item)
        heapq.heappush(self._ready, (call.item, self._serial, again))
