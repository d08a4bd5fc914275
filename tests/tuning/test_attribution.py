"""What held a run back: one sentence, and a suggestion whose gain is simulated from the run's own calls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.base.endpoints import EndpointConfig
from core.base.tuning_views import Share
from core.base.views import Level, StageHistory
from core.tuning.attribution import Scene, attribute
from tests.tuning.seen import HISTORY, places

SATURATED = tuple(Level(n, 50, n) for n in (1.0, 2.0, 4.0, 8.0, 16.0))


def scene(limit: int = 4, history: tuple[StageHistory, ...] = HISTORY, rate: float = 0.8, **over: object) -> Scene:
    return Scene(places(100, llm_limit=limit, **over), history, rate)


def on(levels: tuple[Level, ...]) -> tuple[StageHistory, ...]:
    return (HISTORY[0], *(replace(h, levels=levels) for h in HISTORY[1:]))


def test_a_full_gate_is_named_with_what_twice_the_limit_would_bring() -> None:
    """Where calls take the same time at any load, 4 -> 8 brings about 100 %, as measured up to 64."""
    told = attribute([Share("llm", "", 0.94), Share("search", "", 0.03)], 60.0, scene())
    assert (told.key, told.values["limit"], told.values["share"]) == ("gate_full", 4, 0.94)
    assert told.suggestion is not None
    assert (told.suggestion.key, told.suggestion.values["new"]) == ("raise_limit", 8)
    assert told.suggestion.gain == pytest.approx(1.0, rel=0.05)
    assert (told.suggestion.basis, told.suggestion.between) == ("simulation", None)


def test_beyond_what_was_measured_the_gain_is_a_range() -> None:
    """From 16 to 32 where 16 is the most ever measured: anything from nothing to twice as fast."""
    levels = tuple(Level(n, 50, 1 + 0.01 * n) for n in (1.0, 4.0, 16.0))
    told = attribute([Share("llm", "", 0.9)], 60.0, scene(16, on(levels), search_limit=8))
    assert told.suggestion is not None
    assert told.suggestion.basis == "extrapolation"
    assert told.suggestion.between is not None
    low, high = told.suggestion.between
    assert low == pytest.approx(0.0, abs=0.05)
    assert told.suggestion.gain is not None
    assert low < told.suggestion.gain < high


def test_a_saturated_server_is_not_asked_for_more() -> None:
    """Where calls take longer in proportion to their number, fewer in flight are as fast: lower the limit."""
    told = attribute([Share("llm", "", 0.99)], 60.0, scene(8, on(SATURATED)))
    assert told.suggestion is not None
    assert (told.suggestion.key, told.suggestion.values["new"]) == ("lower_limit", 4)
    assert told.suggestion.gain == pytest.approx(0.0, abs=0.03)


def test_a_stages_own_most_is_raised() -> None:
    """One total at a time: with two of them twice the restaurants."""
    told = attribute([Share("stage", "total_summary", 0.9)], 60.0, scene(64, caps={"total_summary": 1}))
    assert told.values["limit"] == 1
    assert told.suggestion is not None
    assert (told.suggestion.key, told.suggestion.values["old"], told.suggestion.values["new"]) == ("raise_stage", 1, 2)
    assert told.suggestion.gain == pytest.approx(1.0, rel=0.05)


def test_seats_are_doubled_where_that_helps_and_a_server_added_where_not() -> None:
    """Four seats on an easy server become eight; on a saturated one another server brings the throughput."""
    servers = {"small": (EndpointConfig("gpu", limit=4),)}
    easy = attribute([Share("endpoint", "gpu", 0.9)], 60.0, scene(64, servers=servers))
    assert easy.suggestion is not None
    assert (easy.suggestion.key, easy.suggestion.values["old"], easy.suggestion.values["new"]) == ("raise_seats", 4, 8)
    hard = attribute([Share("endpoint", "gpu", 0.9)], 60.0, scene(64, on(SATURATED), servers=servers))
    assert hard.suggestion is not None
    assert hard.suggestion.key == "add_endpoint"
    assert hard.suggestion.gain == pytest.approx(1.0, rel=0.1)


def test_a_quota_is_measured_against_what_the_run_would_do_without_it() -> None:
    """Sixteen in flight would do 3.2 restaurants a second; a quota of 60 a minute leaves a quarter: +1,180 %."""
    servers = {"small": (EndpointConfig("gpu", rpm=60),)}
    told = attribute([Share("rate", "gpu", 0.97)], 60.0, scene(16, servers=servers, rate=0.25))
    assert told.key == "rate_bound"
    assert told.suggestion is not None
    assert told.suggestion.key == "raise_rate"
    assert told.suggestion.gain == pytest.approx(3.2 / 0.25 - 1, rel=0.05)


def test_an_outage_cost_its_share() -> None:
    """Half of the time without an endpoint: with it the run is twice as fast."""
    told = attribute([Share("outage", "gpu", 0.5)], 60.0, scene())
    assert told.suggestion is not None
    assert (told.suggestion.key, told.suggestion.gain) == ("wait_for_endpoint", 1.0)


def test_without_enough_measurements_there_is_a_suggestion_without_a_gain() -> None:
    """A run whose first calls are still out is told what is full, and no number is made up."""
    told = attribute([Share("llm", "", 0.9)], 5.0, scene(history=()))
    assert told.suggestion is not None
    assert (told.suggestion.key, told.suggestion.gain, told.suggestion.basis) == ("raise_limit", None, "none")


def test_nothing_held_back_and_nothing_measured_are_two_things() -> None:
    """A short run without a constraint is told so; one from before there was a watch is not claimed to be free."""
    assert attribute([Share("llm", "", 0.1)], 5.0, scene()).key == "unconstrained"
    assert attribute([], 5.0, scene()).key == "unconstrained"
    assert attribute([], 0.0, scene()).key == "not_measured"


@pytest.mark.parametrize(("resource", "key"), [("cpu", "more_processes"), ("disk", "faster_disk")])
def test_our_own_limits_are_named_too(resource: str, key: str) -> None:
    """A loop without CPU left or a slow disk is no gate's fault."""
    told = attribute([Share(resource, "", 0.8)], 60.0, scene())
    assert told.suggestion is not None
    assert told.suggestion.key == key
