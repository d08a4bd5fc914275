"""What the knee promises, on simulated servers: twenty seeds each, against the best of all fixed limits."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from statistics import median

import pytest

from core.flow.limits import FixedLimit, KneeLimit
from tests.sim.best import best
from tests.sim.demand import Demand
from tests.sim.scenarios import GRID, SCENARIOS, outage
from tests.sim.world import Trace, play

SEEDS = range(20)
# Where the server stays as it is, the whole run is compared; where it changes, what comes after the search.
STEADY = ("batch 256", "batch 64", "memory", "32 seats", "8 seats", "2 seats", "restaurants")
MOVING = ("8 seats, queue of 4", "slower by half", "neighbour", "day", "longer answers", "cold start", "stray")


@cache
def runs(name: str) -> tuple[tuple[Trace, KneeLimit], ...]:
    """The knee's runs of a scenario."""
    limits = [KneeLimit() for _ in SEEDS]
    return tuple((play(SCENARIOS[name], limit, seed), limit) for seed, limit in zip(SEEDS, limits, strict=True))


@pytest.mark.parametrize("name", STEADY + MOVING)
def test_after_three_knees_of_calls_nearly_all_the_throughput_is_there(name: str) -> None:
    """After 3 x knee calls: at least 95 % of the best fixed limit's throughput in the median, 90 % for every seed."""
    top = best(name)
    shares = []
    for trace, _ in runs(name):
        since = trace.when(3 * top.knee)
        shares.append(trace.rate(since) / top.rate(since))
    assert median(shares) >= 0.95, sorted(shares)
    assert min(shares) >= 0.90, sorted(shares)


@pytest.mark.parametrize("name", STEADY + MOVING)
def test_searching_costs_little(name: str) -> None:
    """Regret over the whole run, the search included: at most 3 % of the best fixed limit's throughput."""
    regrets = [1 - trace.rate() / best(name).rate() for trace, _ in runs(name)]
    assert median(regrets) <= 0.03, sorted(regrets)


@pytest.mark.parametrize("name", STEADY)
def test_the_hold_is_quiet(name: str) -> None:
    """While it is held the limit changes at most once in ten latencies, probes included."""
    counts, spans = [], []
    for trace, _ in runs(name):
        since = next((at for at, change in trace.changes if change.phase == "hold"), trace.finished_at)
        latencies = [latency for at, _, latency in trace.ended if at > since] or [1.0]
        counts.append(sum(at > since and change.phase in {"hold", "probe"} for at, change in trace.changes))
        spans.append((trace.finished_at - since) / (sum(latencies) / len(latencies)))
    assert sum(counts) / sum(spans) <= 0.1
    assert all(count <= max(0.15 * span, 10) for count, span in zip(counts, spans, strict=True))


@pytest.mark.parametrize(
    ("name", "slo_s"),
    [
        ("batch 256", 12.0),
        ("batch 256", 20.0),
        ("batch 64", 10.0),
        ("memory", 12.0),
        ("32 seats", 5.0),
        ("restaurants", 6.0),
    ],
)
def test_a_latency_target_is_met_and_used(name: str, slo_s: float) -> None:
    """At most 5 % of the answers are late, at 90 % and more of the best fixed limit's that meets it."""
    scenario = replace(SCENARIOS[name], seconds=600.0)
    fixed = [play(scenario, FixedLimit(limit), 101) for limit in GRID]
    feasible = max(trace.rate() for trace in fixed if trace.breaches(slo_s) <= 0.05)
    traces = [play(scenario, KneeLimit(slo_p95_s=slo_s), seed) for seed in SEEDS]
    assert max(trace.breaches(slo_s) for trace in traces) <= 0.05
    assert median(trace.rate() / feasible for trace in traces) >= 0.90
    assert min(trace.rate() / feasible for trace in traces) >= 0.80


@pytest.mark.parametrize("name", ["batch 256", "batch 64", "32 seats"])
def test_an_outage_is_over_when_it_is_over(name: str) -> None:
    """40 s after the end of an outage of 60 s, at least 90 % of the throughput is back for every seed."""
    scenario = replace(SCENARIOS[name], events=(outage(200.0),), seconds=400.0)
    before = best(name).rate(300, 400)
    assert min(play(scenario, KneeLimit(), seed).rate(300, 400) / before for seed in SEEDS) >= 0.90


@pytest.mark.parametrize("name", ["restaurants", "batch 256", "batch 64", "memory", "32 seats", "8 seats"])
def test_a_small_job_is_hardly_slower(name: str) -> None:
    """400 restaurants, 1,600 calls: at least 85 % of the best fixed limit's throughput over all of the run."""
    demand = SCENARIOS[name].demand
    assert isinstance(demand, Demand)
    scenario = replace(SCENARIOS[name], demand=replace(demand, calls=1600), seconds=10_000.0)
    top = min(GRID, key=lambda limit: play(scenario, FixedLimit(limit), 0).finished_at)
    for seed in SEEDS:
        fixed, found = play(scenario, FixedLimit(top), seed), play(scenario, KneeLimit(), seed)
        assert len(found.ended) == 1600
        assert fixed.finished_at / found.finished_at >= 0.85, seed
