"""Restaurants as the engine sends them: floods of short aspects, then their long totals; records written first; pools.

What a cohort measures then depends on the calls beside it, and the first calls are all short ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from statistics import median

import pytest

from core.flow.limits import FixedLimit, KneeLimit, Limit
from tests.sim.demand import Kitchen
from tests.sim.pool import PoolWorld
from tests.sim.server import Law
from tests.sim.world import Trace

GPU = Law(0.014, 0.000_14, 128, 0.002, 0.000_02)
SEEDS = range(10)
HELD_S = 0.03


@dataclass(frozen=True, slots=True)
class Case:
    """Servers, and the fixed limits to compare with: multiples of `knees`."""

    laws: Sequence[Law]
    knees: Sequence[int]
    times: Sequence[float] = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)

    def play(self, limits: Sequence[Limit], seed: int) -> Trace:
        """400 restaurants for each server: each needs calls of its own to be searched."""
        return PoolWorld(self.laws, limits, Kitchen(400 * len(self.laws)), seed, HELD_S).run()

    def best(self, seed: int) -> Trace:
        """The best of the fixed limits."""
        grid = [[FixedLimit(round(times * knee)) for knee in self.knees] for times in self.times]
        return max((self.play(limits, seed) for limits in grid), key=rate)


def seats(count: int) -> Law:
    """The GPU with so many seats."""
    return replace(GPU, seats=count)


CASES = {
    "one GPU": Case([GPU], [128]),
    "64 seats": Case([seats(64)], [64]),
    "16 seats": Case([seats(16)], [16]),
    "memory": Case([replace(GPU, seats=256, kv_tokens=24_000)], [56]),
    "uneven pool": Case([seats(16), seats(32), seats(64)], [16, 32, 64]),
}


def rate(trace: Trace) -> float:
    """Work a second over the whole run."""
    return trace.rate()


def later(trace: Trace) -> float:
    """The same from the moment on at which half of the work is done."""
    total = sum(work for _, work, _ in trace.ended)
    done = accumulate(work for _, work, _ in trace.ended)
    since = next(at for (at, *_), so_far in zip(trace.ended, done, strict=True) if 2 * so_far >= total)
    return trace.rate(since)


@pytest.mark.parametrize("name", CASES)
def test_auto_is_nearly_as_fast_as_the_best_fixed_limits(name: str) -> None:
    """At least 95 % over the second half and 85 % over all of the run, search included; 80 % for every seed."""
    case = CASES[name]
    auto = [case.play([KneeLimit() for _ in case.laws], seed) for seed in SEEDS]
    best = case.best(0)
    assert_shares(auto, best, rate, 0.85)
    assert_shares(auto, best, later, 0.95)


def assert_shares(auto: Sequence[Trace], best: Trace, figure: Callable[[Trace], float], least: float) -> None:
    """The median reaches the gate, and no seed is far below it."""
    shares = sorted(figure(trace) / figure(best) for trace in auto)
    assert median(shares) >= least, shares
    assert shares[0] >= least - 0.1, shares


@pytest.mark.parametrize("seed", SEEDS)
def test_a_small_server_is_not_taken_for_a_great_one(seed: int) -> None:
    """16 seats: that the first calls are short and come in a burst does not send the search far beyond."""
    case, limit = CASES["16 seats"], KneeLimit()
    case.play([limit], seed)
    assert max(point.limit for point in limit.points) <= 10 * 16
