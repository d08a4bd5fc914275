"""The three deadlines of a call: as the stage sets them, then as learned, each on its own."""

from __future__ import annotations

import random

import pytest

from core.flow import StagePatience, Took, Waits

CEILING = Waits(total=90.0, first_byte=60.0, idle=30.0)
NAMES = ("aspect_summary", "llama")


def taught(took: Took, calls: int = 100) -> StagePatience:
    patience = StagePatience()
    for _ in range(calls):
        patience.answered(*NAMES, took, 160)
    return patience


def test_the_ceilings_hold_until_enough_is_seen() -> None:
    """99 streamed answers change none of the three, the hundredth changes each."""
    took = Took(20.0, first_byte=1.0, idle=0.1)
    assert taught(took, 99).waits(*NAMES, CEILING, 160) == CEILING
    waits = taught(took).waits(*NAMES, CEILING, 160)
    assert waits.total == pytest.approx(60.0, rel=0.05)
    assert (waits.first_byte, waits.idle) == (5.0, 10.0)


def test_what_is_slow_to_begin_is_given_its_time() -> None:
    """Three times the p99.9 of first bytes and of pauses, where that is above their floors."""
    waits = taught(Took(25.0, first_byte=8.0, idle=6.0)).waits(*NAMES, CEILING, 160)
    assert waits.first_byte == pytest.approx(24.0, rel=0.05)
    assert waits.idle == pytest.approx(18.0, rel=0.05)


def test_answers_that_are_not_streamed_teach_the_total_alone() -> None:
    """There is no first byte to learn from; and no part is waited for longer than the whole."""
    waits = taught(Took(2.0)).waits(*NAMES, CEILING, 160)
    assert waits.total == pytest.approx(6.0, rel=0.05)
    assert waits.first_byte == waits.idle == waits.total


def test_each_deadline_is_widened_by_its_own_cuts() -> None:
    """Three calls cut before their first byte double that wait, and leave the other two as they are."""
    patience = taught(Took(20.0, first_byte=2.0, idle=4.0))
    before = patience.waits(*NAMES, CEILING, 160)
    changes = [patience.timed_out(*NAMES, "first_byte", before, 160) for _ in range(3)]
    after = patience.waits(*NAMES, CEILING, 160)
    assert changes[:2] == [None, None]
    assert changes[2] is not None
    assert after.first_byte == pytest.approx(2 * before.first_byte)
    assert (after.total, after.idle) == (before.total, before.idle)
    for _ in range(3):
        patience.timed_out(*NAMES, "idle", after, 160)
        patience.timed_out(*NAMES, "", after, 160)
    assert patience.waits(*NAMES, CEILING, 160).idle == pytest.approx(2 * before.idle)


def test_a_new_stage_borrows_all_three() -> None:
    """What one stage taught bounds the next one of the same model, twice as long."""
    patience = taught(Took(10.0, first_byte=3.0, idle=4.0))
    waits = patience.waits("total_summary", "llama", CEILING, 160)
    assert waits.total == pytest.approx(60.0, rel=0.05)
    assert waits.first_byte == pytest.approx(18.0, rel=0.05)
    assert waits.idle == pytest.approx(24.0, rel=0.05)
    assert patience.waits("total_summary", "qwen", CEILING, 160) == CEILING


def test_what_is_granted_again_is_what_would_be_granted_anew() -> None:
    """Over thousands of answers and cuts of two stages and two sizes, no deadline is older than what was learned."""
    rng = random.Random(7)
    patience = StagePatience(enough=20)
    granted = set()
    for _ in range(3000):
        stage, size = rng.choice(["aspect_summary", "total_summary"]), rng.choice([160, 256])
        waits = patience.waits(stage, "llama", CEILING, size)
        if rng.random() < 0.1:
            late = rng.choice(["total", "first_byte", "idle", ""])
            patience.timed_out(stage, "llama", late, waits, size)
        else:
            slow = rng.lognormvariate(1.0, 0.7)
            patience.answered(stage, "llama", Took(slow, rng.choice([None, slow / 4]), slow / 9), size)
        for key in [(stage, 160), (stage, 256), ("aspect_summary", 160), ("total_summary", 256)]:
            now = patience.waits(key[0], "llama", CEILING, key[1])
            assert now == patience._grant((key[0], "llama"), CEILING, key[1])
            granted.add(now)
    assert len(granted) > 20
