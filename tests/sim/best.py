"""The best that a fixed limit gives: an exhaustive search over a grid, once per scenario."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from core.flow.limits import FixedLimit
from tests.sim.scenarios import GRID, SCENARIOS
from tests.sim.server import NEVER
from tests.sim.world import Trace, play

SEEDS = (101,)


@dataclass(frozen=True, slots=True)
class Best:
    """The best fixed limit and its runs. knee: the smallest limit with 95 % of the best."""

    limit: int
    knee: int
    traces: tuple[Trace, ...]

    def rate(self, since: float = 0.0, until: float = NEVER) -> float:
        """What it gives between two moments."""
        return sum(trace.rate(since, until) for trace in self.traces) / len(self.traces)


@cache
def best(name: str) -> Best:
    """The best fixed limit of a scenario, over the whole run."""
    scenario = SCENARIOS[name]
    runs = {limit: play_all(name, limit) for limit in scenario.limits or GRID}
    rates = {limit: sum(trace.rate() for trace in traces) for limit, traces in runs.items()}
    top = max(rates, key=lambda limit: rates[limit])
    knee = min(limit for limit, rate in rates.items() if rate >= 0.95 * rates[top])
    return Best(top, knee, runs[top])


def play_all(name: str, limit: int) -> tuple[Trace, ...]:
    """The runs of a fixed limit."""
    return tuple(play(SCENARIOS[name], FixedLimit(limit), seed) for seed in SEEDS)
