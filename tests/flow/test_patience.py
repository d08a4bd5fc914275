"""Patience: timeouts learned from latencies, between a floor and a ceiling."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from core.flow import Patience
from core.flow.patience import FLOOR_S

KEY = ("aspect_summary", "llama")
CEILING = 60.0


def _drive(patience: Patience, latency: Callable[[], float], calls: int) -> list[tuple[float, bool]]:
    """Calls one after the other: (latency, whether it was cut)."""
    seen = []
    for _ in range(calls):
        seconds, limit = latency(), patience.seconds(KEY, CEILING)
        if seconds > limit:
            patience.timed_out(KEY, limit)
        else:
            patience.answered(KEY, seconds)
        seen.append((seconds, seconds > limit))
    return seen


def _lognormal(rng: random.Random, p999: float, sigma: float = 0.5) -> Callable[[], float]:
    """Latencies whose 99.9th percentile (3.09 sigmas) is that many seconds."""
    median = p999 / 2.718281828 ** (3.09 * sigma)
    return lambda: median * rng.lognormvariate(0, sigma)


def test_the_ceiling_holds_until_enough_calls_are_seen() -> None:
    """99 answers change nothing, the hundredth does; another model's stage knows nothing of it."""
    patience = Patience()
    for _ in range(99):
        patience.answered(KEY, 1.0)
    assert patience.seconds(KEY, CEILING) == CEILING
    patience.answered(KEY, 1.0)
    assert patience.seconds(KEY, CEILING) == 5.0
    assert patience.seconds((KEY[0], "qwen"), CEILING) == CEILING


def test_floor_and_ceiling_bound_what_was_learned() -> None:
    """Latencies of a millisecond give the floor, latencies of a minute the ceiling."""
    for latency, expected in ((0.001, 5.0), (0.0, 5.0), (59.0, CEILING)):
        patience = Patience()
        for _ in range(200):
            patience.answered(KEY, latency)
        assert patience.seconds(KEY, CEILING) == expected


@pytest.mark.parametrize("seed", range(20))
def test_hangs_are_cut_and_good_calls_are_not(seed: int) -> None:
    """Where p99.9 is two seconds, each hang of twenty is cut before ten, and fewer than one good call in 1,000."""
    rng = random.Random(seed)
    good = _lognormal(rng, 2.0)
    patience = Patience()
    _drive(patience, good, 200)
    seen = _drive(patience, lambda: 20.0 if rng.random() < 0.02 else good(), 5_000)
    assert all(cut for seconds, cut in seen if seconds == 20.0)
    assert sum(cut for seconds, cut in seen if seconds != 20.0) < 5
    assert patience.seconds(KEY, CEILING) < 10.0


@pytest.mark.parametrize("factor", [2.0, 4.0, 10.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_server_that_became_slower_is_followed(seed: int, factor: float) -> None:
    """After a shift in mid-run a few calls are cut, then none: the answers that teach are not starved."""
    rng = random.Random(seed)
    patience = Patience()
    _drive(patience, _lognormal(rng, 2.0), 1_000)
    slow = _lognormal(rng, 2.0 * factor)
    first = _drive(patience, slow, 200)
    later = _drive(patience, slow, 2_000)
    assert sum(cut for _, cut in first) <= 20
    assert sum(cut for _, cut in later) <= 4


def test_a_server_that_became_faster_is_followed() -> None:
    """After some thousands of quick answers a hang of what was once normal is cut."""
    rng = random.Random(5)
    patience = Patience()
    _drive(patience, _lognormal(rng, 16.0), 1_000)
    assert patience.seconds(KEY, CEILING) > 30
    _drive(patience, _lognormal(rng, 2.0), 60_000)
    assert patience.seconds(KEY, CEILING) < 10


def test_calls_cut_at_an_older_timeout_widen_it_once() -> None:
    """A crowd cut together at the same timeout doubles it once, not once for each three of them."""
    patience = Patience()
    for _ in range(200):
        patience.answered(KEY, 2.0)
    before = patience.seconds(KEY, CEILING)
    changes = [patience.timed_out(KEY, before) for _ in range(64)]
    assert sum(change is not None for change in changes) == 1
    assert patience.seconds(KEY, CEILING) == pytest.approx(2 * before)
    change = next(change for change in changes if change)
    assert "the server is slower" in change[1]


def test_a_new_stage_borrows_from_the_slowest_of_its_model() -> None:
    """Before its own hundredth answer a stage waits twice as long as the slowest other would, and then its own time."""
    patience, new = Patience(), ("total_summary", "llama")
    for _ in range(100):
        patience.answered(KEY, 2.0)
        patience.answered(("advice", "llama"), 4.0)
        patience.answered(("advice", "qwen"), 50.0)
    lent = patience.seconds(("advice", "llama"), CEILING)
    assert lent == pytest.approx(12.0, rel=0.05)
    assert patience.seconds(new, CEILING) == pytest.approx(2 * lent)
    assert "of another stage; only 0 of 100 answers seen" in patience.reason(new, CEILING)
    for _ in range(100):
        patience.answered(new, 1.0)
    assert patience.seconds(new, CEILING) == FLOOR_S


def test_larger_calls_borrow_more() -> None:
    """A stage that may write eight times as many tokens is given eight times as long, never less than its own."""
    patience, new = Patience(), ("total_summary", "llama")
    for _ in range(100):
        patience.answered(KEY, 1.0, size=100)
    small = patience.seconds(new, CEILING, size=50)
    assert small == patience.seconds(new, CEILING, size=100) == pytest.approx(6.0, rel=0.05)
    assert patience.seconds(new, CEILING, size=800) == pytest.approx(8 * small)
    patience.answered(new, 10.0, size=100)
    assert patience.seconds(new, CEILING, size=100) == pytest.approx(30.0, rel=0.05)


def test_what_was_borrowed_wrongly_is_widened() -> None:
    """Three calls of a new stage cut at the borrowed time double it."""
    patience, new = Patience(), ("total_summary", "llama")
    for _ in range(100):
        patience.answered(KEY, 1.0)
    before = patience.seconds(new, CEILING)
    changes = [patience.timed_out(new, before) for _ in range(3)]
    assert [change is not None for change in changes] == [False, False, True]
    assert patience.seconds(new, CEILING) == pytest.approx(2 * before)


def test_reasons_and_repr_tell_what_was_learned() -> None:
    """The operator reads how many answers were seen, and then the percentile."""
    patience = Patience()
    patience.answered(KEY, 2.0)
    assert patience.reason(KEY, CEILING) == "60.0 s, as set: only 1 of 100 answers seen."
    for _ in range(200):
        patience.answered(KEY, 2.0)
    assert patience.reason(KEY, CEILING).startswith("6.")
    assert "p99.9 2." in repr(patience)
