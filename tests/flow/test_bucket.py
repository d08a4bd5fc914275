"""The token bucket: long-run rate, debts, and corrections from what a server says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.flow.bucket import Bucket


def test_it_flows_in_evenly_and_keeps_no_more_than_its_size() -> None:
    """Two a second, at most ten: empty, it has six after three seconds and ten after an hour."""
    bucket = Bucket(2.0, 10.0, 0.0)
    bucket.take(10, 0.0)
    assert bucket.wait(6, 0.0) == pytest.approx(3.0)
    assert bucket.wait(6, 3.0) == 0
    bucket.refill(3600.0)
    assert bucket.level == 10


def test_an_amount_beyond_the_size_waits_for_a_full_bucket_and_leaves_a_debt() -> None:
    """Thirty of a bucket of ten: admitted when full, and the next one waits until the debt is paid."""
    bucket = Bucket(2.0, 10.0, 0.0)
    assert bucket.wait(30, 0.0) == 0
    bucket.take(30, 0.0)
    assert bucket.wait(1, 0.0) == pytest.approx(10.5)


def test_a_correction_counts_from_the_call_it_speaks_of() -> None:
    """A server's word of ten seconds ago is brought to now with what came in and went out since."""
    bucket = Bucket(1.0, 100.0, 0.0)
    bucket.take(70, 0.0)
    mark = bucket.mark()
    bucket.take(20, 5.0)
    bucket.correct(mark, 40.0, 10.0)
    assert bucket.level == pytest.approx(40 + 10 - 20)
    bucket.correct(mark, 40.0, 10.0)
    assert bucket.level == pytest.approx(30)


def test_it_stays_closed_until_told() -> None:
    """However full, nothing may be taken before a window of fixed times begins anew."""
    bucket = Bucket(10.0, 10.0, 0.0)
    bucket.closed_until = 7.0
    assert bucket.wait(1, 2.0) == 5
    assert bucket.wait(1, 7.0) == 0


@settings(max_examples=200, deadline=None)
@given(
    rate=st.floats(0.01, 1e4),
    size=st.floats(1, 1e5),
    steps=st.lists(st.tuples(st.floats(0, 100), st.floats(0, 2e5)), max_size=50),
)
def test_never_more_than_size_and_inflow(rate: float, size: float, steps: list[tuple[float, float]]) -> None:
    """Whoever waits as long as told never takes more than the size, the inflow and one oversized amount."""
    now, taken, largest = 0.0, 0.0, 0.0
    bucket = Bucket(rate, size, now)
    for pause, amount in steps:
        now += pause
        wait = bucket.wait(amount, now)
        now += wait
        assert bucket.wait(amount, now) <= 1e-6 * (1 + wait)
        bucket.take(amount, now)
        taken, largest = taken + amount, max(largest, amount)
        assert taken <= (size + rate * now + largest) * (1 + 1e-6)
        assert bucket.level <= size


@settings(max_examples=200, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(["take", "give", "resize", "correct", "lower"]), st.floats(0, 1e4))))
def test_it_never_holds_more_than_its_size(steps: list[tuple[str, float]]) -> None:
    """Whatever is given back or told, the level stays within the size, and the wait is finite."""
    bucket, now, mark = Bucket(5.0, 50.0, 0.0), 0.0, 0.0
    for verb, n in steps:
        now += n % 7
        if verb == "resize":
            bucket.resize(1 + n, 1 + n, now)
        elif verb == "correct":
            bucket.correct(mark, n, now)
        else:
            getattr(bucket, verb)(n, now)
        mark = bucket.mark()
        assert bucket.level <= bucket.size
        assert 0 <= bucket.wait(1, now) < 1e9 or bucket.wait(1, now) < 0 <= bucket.level
