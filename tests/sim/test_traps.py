"""The seven ways in which a search for the knee goes wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.base.records import Outcome
from core.flow.limits import AimdLimit, FixedLimit, Gauges, KneeLimit, Lengths, LimitChange, Sample
from core.flow.limits.cohort import Cohort
from tests.sim.demand import Demand, answers
from tests.sim.scenarios import LONG, SCENARIOS, SMALL, day, neighbour, seats
from tests.sim.world import Scenario, Trace, World, play

SEEDS = range(20)


class _Stepped(FixedLimit):
    """Goes from 16 to 256 at second 100 and measures both ways: by first completions, and by a cohort of starts."""

    def __init__(self) -> None:
        super().__init__(16)
        self.lengths = Lengths()
        self.counted: list[Sample] = []
        self.cohort: Cohort | None = None
        self.measured = 0.0

    def tick(self, at: float, in_flight: int, waiting: int) -> LimitChange | None:
        if at == 100.0:
            self.cohort = Cohort(256, after=at)
            return self.set(at, 256, "a step")
        return None

    def started(self, at: float, in_flight: int) -> None:
        if self.cohort:
            self.cohort.started(at)

    def ended(self, sample: Sample) -> LimitChange | None:
        self.lengths.add(sample.output_tokens)
        if self.cohort is None:
            return None
        self.counted.append(sample)
        point = self.cohort.ended(sample, self.lengths)
        if point is not None and not self.measured:
            self.measured = point.calls_per_s
        return None


@pytest.mark.parametrize("seed", SEEDS)
def test_first_completions_overestimate_and_a_cohort_does_not(seed: int) -> None:
    """Little's law on the first 77 answers after 16 -> 256 promises a third more than there is; the cohort is right."""
    limit = _Stepped()
    trace = play(replace(SCENARIOS["batch 256"], seconds=400.0), limit, seed)
    truth = sum(at > 200 for at, *_ in trace.ended) / 200
    first = limit.counted[:77]
    naive = 256 / (sum(sample.latency_s for sample in first) / len(first))
    assert naive > 1.33 * truth
    assert limit.measured == pytest.approx(truth, rel=0.12)


def _lowest_held(trace: Trace) -> int:
    return min((change.new for _, change in trace.changes if change.phase == "hold"), default=0)


@pytest.mark.parametrize("seed", SEEDS)
def test_steps_down_do_not_add_up(seed: int) -> None:
    """Two hours with a probe every few minutes: small steps down that each cost little never cost 10 % together."""
    scenario = replace(SCENARIOS["batch 64"], seconds=3600.0)
    trace = play(scenario, KneeLimit(), seed)
    fixed = play(scenario, FixedLimit(64), seed)
    assert trace.rate(1800) >= 0.95 * fixed.rate(1800)
    assert _lowest_held(trace) >= 45


def test_a_speed_that_swings_does_not_fool_the_probes() -> None:
    """Over a day of +-30 % the limit stays within about twice the knee: what drift gives is not what the limit gave."""
    for seed in SEEDS:
        trace = play(Scenario("day", SMALL, LONG, 1800.0, events=day(1800)), KneeLimit(), seed)
        held = [change.new for at, change in trace.changes if change.phase == "hold"]
        assert max(held) <= 2.1 * 64, seed
        assert min(held) >= 32, seed


def test_the_politeness_brake_leaves_the_neighbours_their_share() -> None:
    """On a server of 8 seats where a neighbour keeps 60 calls waiting, more in flight takes ever more of it: the brake
    stops that at 8 times the latency of the calmest time; AIMD goes on."""
    law = replace(seats(8), step_s=0.01)
    shared = Scenario("shared", law, Demand(answers(150, 0.4)), 900.0, events=(neighbour(0.5, 8),))
    polite, greedy = KneeLimit(start=4), AimdLimit(start=4)
    play(shared, polite, 3)
    play(shared, greedy, 3)
    calmest = min(point.latency_s for point in polite.points)
    assert max(point.latency_s for point in polite.points[-5:]) <= 8 * calmest
    assert polite.limit <= 64
    assert greedy.limit > polite.limit


def test_prefills_in_a_burst_are_not_measured() -> None:
    """A step up whose prefills stall everybody for seconds is measured after them, within 15 % of what holds later."""
    heavy = replace(SMALL, prefill_s=0.05)
    limit = _Stepped()
    limit.set(0.0, 16, "start")
    trace = play(Scenario("heavy prefills", replace(heavy, seats=256), LONG, 600.0), limit, 1)
    truth = sum(at > 300 for at, *_ in trace.ended) / 300
    assert limit.measured == pytest.approx(truth, rel=0.15)


@pytest.mark.parametrize("busy", [True, False])
def test_stray_rejections_cost_next_to_nothing(busy: bool) -> None:
    """3 % of stray 429s, whatever they say of themselves, cost less than 5 % of the throughput without them."""
    scenario = replace(SCENARIOS["batch 64"], stray=0.03, stray_busy=busy, seconds=600.0)
    for seed in SEEDS:
        calm = play(replace(scenario, stray=0.0), FixedLimit(64), seed)
        stray = play(scenario, KneeLimit(), seed)
        assert stray.rate(100) >= 0.95 * calm.rate(100), seed


def test_rejections_of_a_quota_cut_nothing() -> None:
    """A 429 that speaks of a quota a minute is paced elsewhere: however many there are, the limit stays."""
    limit = KneeLimit(start=32)
    changes = [limit.ended(Sample(0.1 * n, 0.1 * n + 0.03, Outcome.OVERLOAD, 32)) for n in range(500)]
    assert changes == [None] * 500
    assert limit.limit == 32


def test_one_cascade_is_one_cut() -> None:
    """Fifty rejections of calls that were under way together cut once; the next cascade cuts again."""
    for limit in (KneeLimit(start=64), AimdLimit(start=64)):
        for number in range(64):
            limit.started(1.0, number + 1)
        changes = [limit.ended(Sample(1.0, 1.1 + 0.01 * n, Outcome.OVERLOAD, 64 - n, busy=True)) for n in range(50)]
        assert sum(change is not None for change in changes) == 1
        cut = limit.limit
        again = [limit.ended(Sample(9.0, 9.1 + 0.01 * n, Outcome.OVERLOAD, cut, busy=True)) for n in range(20)]
        assert sum(change is not None for change in again) == 1
        assert limit.limit < cut < 64


@pytest.mark.parametrize("seed", SEEDS)
def test_an_application_that_is_the_limit_never_makes_it_grow(seed: int) -> None:
    """Where only 40 calls are offered at a time the limit never goes far beyond, and grows once there are more."""
    shy = Demand(LONG.sizes, at_once=lambda at: 40 if at < 300 else 10_000)
    world = World(replace(SCENARIOS["batch 256"], demand=shy), KneeLimit(), seed)
    trace = world.run()
    assert max((change.new for at, change in trace.changes if at < 300), default=16) <= 4 * 16
    assert max(change.new for at, change in trace.changes if at > 300) >= 181


def test_near_the_end_of_a_run_nothing_is_tried() -> None:
    """With nobody waiting and calls running out, no change comes."""
    scenario = replace(SCENARIOS["batch 64"], demand=replace(LONG, calls=900), seconds=5_000.0)
    for seed in SEEDS:
        trace = play(scenario, KneeLimit(), seed)
        drained = sorted(at for at, *_ in trace.ended)[-32]
        assert all(at <= drained for at, _ in trace.changes), seed


def test_what_the_server_says_of_its_queue_ends_the_ramp() -> None:
    """With vLLM's gauges the ramp stops at the first limit that only fills the server's own queue."""
    for name in ("batch 64", "memory"):
        scenario = replace(SCENARIOS[name], gauged=True, seconds=300.0)
        blind, seeing = (play(replace(scenario, gauged=gauged), KneeLimit(), 1) for gauged in (False, True))
        assert max(c.new for _, c in seeing.changes) <= max(c.new for _, c in blind.changes)
        assert any("its own queue" in change.reason for _, change in seeing.changes)
        assert seeing.rate(100) >= 0.95 * blind.rate(100)


def test_a_target_that_no_limit_meets_is_said() -> None:
    """Where even one call alone is too slow it is said once, with the target and the best that can be had, and that is
    held: also where the limit is at its floor already and nothing moves."""
    for start in (16, 1):
        limit = KneeLimit(start=start, slo_p95_s=1.0)
        trace = play(replace(SCENARIOS["batch 64"], seconds=300.0), limit, 1)
        told = [change for _, change in trace.changes if change.phase == "slo"]
        assert len(told) == 1
        assert "No limit meets the target of 1 s" in told[0].reason
        assert f"{limit.limit} call" in told[0].reason
        assert told[0].new == limit.limit
        assert trace.rate(150) > 0
    assert (told[0].old, told[0].new) == (1, 1)


def test_gauges_that_flicker_change_nothing() -> None:
    """A queue that is there for one reading is not a queue that stays."""
    limit = KneeLimit()
    for second in range(50):
        assert limit.gauges(Gauges(float(second), float(second % 2), 0.0)) is None
    assert limit.limit == 16
