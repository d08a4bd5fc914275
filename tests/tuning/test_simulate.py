"""The simulation against schedules by hand: order, gates, seats, quotas, retries, and what it waited for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.pipeline.plan import expand
from core.tuning.scenario import Place, Scenario, Work
from core.tuning.simulate import play
from core.tuning.speed import Speed
from tests.tuning.seen import CARDS, PLACE, READING, RESTAURANTS

MODELS = ("aspect_summary", "total_summary")


def work(seconds: float, **more: float) -> Work:
    return Work(seconds, (seconds, seconds), **more)


def scene(
    llm: int = 4, search: int = 4, *, aspect: float = 1.0, total: float = 2.0, gpus: int = 1, **over: object
) -> Scenario:
    """Restaurants whose search takes 0.1 s, an aspect 1 s and a total 2 s, on so many servers without limits."""
    works = {("aspect_summary", 1): work(aspect), ("total_summary", 0): work(total)}
    servers = tuple(Place(f"gpu{n}", Speed(), works) for n in range(gpus))
    searcher = Place("search", Speed(), {("search", 3): work(0.1)})
    places = {"search": (searcher,), **dict.fromkeys(MODELS, servers)}
    return Scenario([expand(RESTAURANTS, PLACE)], places, llm, search, **over)  # type: ignore[arg-type]


def on(scenario: Scenario, **changes: object) -> Scenario:
    """The scenario with all model servers changed."""
    places = {
        stage: there if stage == "search" else tuple(replace(p, **changes) for p in there)  # type: ignore[arg-type]
        for stage, there in scenario.places.items()
    }
    return replace(scenario, places=places)


def test_one_item_takes_its_longest_chain() -> None:
    """A search, three aspects side by side, a total: 0.1 + 1 + 2 s; with one permit 0.1 + 3 + 2 s."""
    assert play(scene(), 1).duration_s == pytest.approx(3.1)
    assert play(scene(llm=1), 1).duration_s == pytest.approx(5.1)


def test_work_over_limit_is_the_duration_of_a_full_gate() -> None:
    """A hundred restaurants are 500 s of model calls: with four permits about 125 s, and the gate is full all along."""
    played = play(scene(), 100)
    assert played.duration_s == pytest.approx(125, rel=0.03)
    assert played.in_flight["llm"] == pytest.approx(4, rel=0.04)
    assert max(played.waited, key=lambda name: played.waited[name]) == "llm"


def test_oldest_item_first_finishes_items_in_order() -> None:
    """With one permit restaurant after restaurant is finished, five seconds apart."""
    played = play(scene(llm=1), 6)
    gaps = [b - a for a, b in zip(played.finished, played.finished[1:], strict=False)]
    assert gaps[:3] == pytest.approx([5.0] * 3)


def test_a_slow_search_is_what_it_waits_for() -> None:
    """One search at a time of 9 s each: the run takes nine seconds per item and waits for the search gate."""
    slow = scene(llm=50, search=1)
    places = {**slow.places, "search": (Place("search", Speed(), {("search", 3): work(9.0)}),)}
    played = play(replace(slow, places=places), 20)
    assert played.duration_s == pytest.approx(20 * 9 + 3, rel=0.01)
    assert max(played.waited, key=lambda name: played.waited[name]) == "search"


def test_seats_hold_calls_back_as_a_limit_does() -> None:
    """Two seats at the server make a limit of sixteen worth two."""
    assert play(on(scene(llm=16), limit=2), 40).duration_s == pytest.approx(play(scene(llm=2), 40).duration_s, rel=0.02)
    assert "endpoint:gpu0" in play(on(scene(llm=16), limit=2), 40).waited


def test_a_stages_own_most_holds() -> None:
    """One total at a time: 40 restaurants cannot be faster than 40 x 2 s, however many permits there are."""
    played = play(scene(llm=64, caps={"total_summary": 1}), 40)
    assert played.duration_s == pytest.approx(81, rel=0.02)
    assert max(played.waited, key=lambda name: played.waited[name]) == "stage:total_summary"


def test_a_quota_paces_the_calls() -> None:
    """60 requests a minute are one call a second, and a second's burst: 160 calls take about 160 s."""
    played = play(on(scene(llm=64), rpm=60), 40)
    assert played.duration_s == pytest.approx(160, rel=0.03)
    assert max(played.waited, key=lambda name: played.waited[name]) == "rate:gpu0"


def test_a_quota_of_tokens_counts_tokens() -> None:
    """6,000 tokens a minute are one call of a hundred tokens a second."""
    works = {("aspect_summary", 1): work(1.0, tokens=100), ("total_summary", 0): work(2.0, tokens=100)}
    played = play(on(scene(llm=64), tpm=6000, works=works), 40)
    assert played.duration_s == pytest.approx(160, rel=0.03)


def test_calls_share_a_servers_speed() -> None:
    """At 1 + 0.25 n with four in flight a call takes twice as long: 100 restaurants take 250 s."""
    assert play(on(scene(), speed=Speed(gamma=0.25)), 100).duration_s == pytest.approx(250, rel=0.03)


def test_two_servers_are_twice_as_fast_where_one_is_saturated() -> None:
    """A server whose calls take in proportion to their number does a call a second; two do two."""
    saturated = Speed(gamma=1000.0)
    one, two = (play(on(scene(llm=16, gpus=n), speed=saturated), 60).duration_s for n in (1, 2))
    assert one == pytest.approx(2 * two, rel=0.05)


def test_failed_tries_cost_time() -> None:
    """With every third try failing after a second, the work grows by half a second per success."""
    works = {
        ("aspect_summary", 1): work(1.0, failure_share=1 / 3, failure_s=1.0),
        ("total_summary", 0): work(2.0, failure_share=1 / 3, failure_s=1.0),
    }
    durations = [play(on(scene(), works=works), 200, seed).duration_s for seed in range(3)]
    assert sum(durations) / 3 == pytest.approx(250 + 200 * 4 * 0.5 / 4, rel=0.05)


def test_parts_without_evidence_take_no_call() -> None:
    """Where half of the aspects have nothing to say, half of their time is saved."""
    assert play(scene(skips={"aspect_summary": 0.5}), 400).duration_s == pytest.approx(400 * 3.5 / 4, rel=0.05)


def test_commits_hold_a_permit_before_a_call_and_delay_what_follows() -> None:
    """With 0.1 s a write and one permit, five seconds of work per restaurant take 0.4 s more for its four calls."""
    played = play(scene(llm=1, commit_s=0.1), 20)
    assert played.duration_s == pytest.approx(20 * 5.4, rel=0.02)


def test_batches_of_another_size_are_told_from_the_nearest() -> None:
    """Ten cards are batches of 3, 3, 3 and 1; where only threes were measured, one card takes a third."""
    works = {("card_interpretation", 3): work(3.0), **{(s.id, 0): work(1.0) for s in CARDS.stages[1:]}}
    gpu = Place("gpu", Speed(), works)
    played = play(Scenario([expand(CARDS, READING)], {s.id: (gpu,) for s in CARDS.stages}, 1, 1), 1)
    assert played.duration_s == pytest.approx(3 * 3 + 1 + 3)


def test_the_same_seed_plays_the_same_run() -> None:
    """A forecast does not flicker: two runs of a seed are equal, two seeds are not."""
    random = on(scene(), works={(s, p): Work(1.5, (0.5, 1.5, 2.5)) for s, p in (("aspect_summary", 1), (MODELS[1], 0))})
    assert play(random, 50, 1) == play(random, 50, 1)
    assert play(random, 50, 1) != play(random, 50, 2)


@settings(max_examples=60, deadline=None)
@given(
    llm=st.integers(1, 40),
    search=st.integers(1, 10),
    items=st.integers(1, 30),
    aspect=st.floats(0.01, 5),
    total=st.floats(0.01, 5),
    window=st.integers(1, 60),
)
def test_no_schedule_beats_its_bounds(
    llm: int, search: int, items: int, aspect: float, total: float, window: int
) -> None:
    """Every item ends once; no run is shorter than work over limit or than a chain, nor longer than serial."""
    played = play(scene(llm, search, aspect=aspect, total=total, window=window), items)
    assert len(played.finished) == items
    model_s, chain = items * (3 * aspect + total), 0.1 + aspect + total
    assert played.duration_s >= max(model_s / llm, items * 0.1 / search, chain) - 1e-6
    assert played.duration_s <= model_s + items * 0.1 + 1e-6
    assert sum(played.waited.values()) <= played.duration_s + 1e-6
