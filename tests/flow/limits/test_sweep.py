"""A sweep measures a schedule of limits, says what it left out and why, and ends at the knee."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.base.records import Outcome
from core.flow.limits import Sample, SweepLimit, calls_needed
from tests.sim.demand import Demand, answers
from tests.sim.scenarios import SCENARIOS
from tests.sim.world import play


@pytest.mark.parametrize("name", ["batch 64", "32 seats", "memory"])
def test_a_grid_is_measured_upward(name: str) -> None:
    """Every limit of the grid below the ceiling has its point, and the knee is where X is 95 % of the most."""
    sweep = SweepLimit([64, 8, 16, 32, 128, 512, 8], ceiling=256)
    trace = play(replace(SCENARIOS[name], seconds=2_000.0), sweep, 1)
    assert [point.limit for point in sweep.points] == [8, 16, 32, 64, 128]
    assert sweep.finished
    assert sweep.notes == ["512 left out: above the ceiling of 256."]
    knee = sweep.knee()
    assert knee is not None
    assert sweep.limit == knee.limit == {"batch 64": 64, "32 seats": 32, "memory": 128}[name]
    assert len(trace.changes) == 4 + (knee.limit != 128)


@pytest.mark.parametrize(("name", "low", "high"), [("batch 64", 57, 80), ("32 seats", 26, 54), ("8 seats", 7, 13)])
def test_chosen_as_it_goes_it_is_dense_at_the_knee(name: str, low: int, high: int) -> None:
    """Few points, three or more of them near the knee, and the knee is right for at least 7 of 8 seeds: one point of
    a plateau that is 10 % too low by chance makes what is left of it look like a slope."""
    knees = []
    for seed in range(8):
        sweep = SweepLimit()
        play(replace(SCENARIOS[name], seconds=2_000.0), sweep, seed)
        knee = sweep.knee()
        assert sweep.finished
        assert knee is not None
        assert len(sweep.points) <= 12
        assert sum(knee.limit / 1.5 <= point.limit <= knee.limit * 1.5 for point in sweep.points) >= 3
        knees.append(knee.limit)
    assert sum(low <= knee <= high for knee in knees) >= 7, knees


def test_a_server_that_fails_at_a_limit_is_not_asked_for_more() -> None:
    """8 seats and a queue of 4: at 16 most calls are rejected; that point ends early and 32 is never tried."""
    sweep = SweepLimit([4, 8, 16, 32])
    play(SCENARIOS["8 seats, queue of 4"], sweep, 1)
    assert [point.limit for point in sweep.points] == [4, 8]
    assert any("16 was ended early" in note and "failed" in note for note in sweep.notes)
    assert sweep.limit == 8


def test_an_application_that_offers_too_few_ends_it() -> None:
    """Only 13 calls are ever in flight: 16 is measured (three quarters), 64 cannot be, and that is said."""
    shy = replace(SCENARIOS["batch 64"], demand=Demand(answers(100, 0.3), at_once=lambda at: 13), seconds=2_000.0)
    sweep = SweepLimit([4, 16, 64])
    play(shy, sweep, 1)
    assert [point.limit for point in sweep.points] == [4, 16]
    assert any("did not keep as many" in note for note in sweep.notes)


def test_nothing_answers() -> None:
    """A server that only fails: finished, no knee, and a sentence."""
    sweep = SweepLimit([4, 8])
    for n in range(8):
        sweep.started(float(n), 1)
        sweep.ended(Sample(float(n), n + 0.5, Outcome.IGNORED, 1))
    assert sweep.finished
    assert sweep.knee() is None
    assert sweep.notes[-1] == "Nothing could be measured."


def test_the_knee_is_inside_the_latency_target() -> None:
    """With a target the knee is the best limit that meets it."""
    sweep = SweepLimit([4, 8, 16, 32, 64, 128], slo_p95_s=10.0)
    play(replace(SCENARIOS["batch 64"], seconds=2_000.0), sweep, 2)
    knee = sweep.knee()
    assert knee is not None
    assert knee.limit == max(point.limit for point in sweep.points if point.p95_s <= 9.8)


def test_the_calls_that_a_sweep_needs_are_known_beforehand() -> None:
    """What `calls_needed` says is what is sent, within a tenth (64 are still under way at the end)."""
    grid = [8, 16, 32, 64]
    sweep = SweepLimit(grid)
    trace = play(replace(SCENARIOS["batch 64"], seconds=5_000.0), sweep, 3)
    over = max(at for at, _ in trace.changes)
    ended = sum(at <= over for at, *_ in trace.ended)
    assert ended + 64 == pytest.approx(calls_needed(grid), rel=0.1)
