"""The breaker: opens on failures, lets one probe through, closes on its success."""

from __future__ import annotations

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.flow import Breaker, BreakerState
from tests.support.clock import FakeClock


def _open(clock: FakeClock) -> Breaker:
    breaker = Breaker(clock, random.Random(1), name="vllm")
    for _ in range(5):
        assert breaker.allow()
        breaker.failed()
    return breaker


def test_five_failures_in_a_row_open_it() -> None:
    """Four let calls pass, the fifth stops them and says why."""
    clock = FakeClock()
    breaker = Breaker(clock, random.Random(1))
    for _ in range(4):
        breaker.failed()
    assert breaker.allow()
    breaker.failed()
    assert not breaker.allow()
    assert breaker.state is BreakerState.OPEN
    assert "5 calls in a row failed" in breaker.reason


def test_more_than_half_of_ten_opens_it_and_half_does_not() -> None:
    """Alternating failures pass as long as they are not more than half of at least ten calls."""
    breaker = Breaker(FakeClock(), random.Random(1))
    for _ in range(10):
        breaker.succeeded()
        breaker.failed()
    assert breaker.allow()
    breaker.failed()
    assert breaker.state is BreakerState.OPEN
    assert "more than half" in breaker.reason


def test_old_failures_are_forgotten() -> None:
    """Failures of more than a minute ago don't count among the recent calls."""
    clock = FakeClock()
    breaker = Breaker(clock, random.Random(1))
    for _ in range(4):
        for _ in range(4):
            breaker.failed()
        breaker.succeeded()
        clock.now += 61
    assert breaker.state is BreakerState.CLOSED


def test_the_waits_double_up_to_half_a_minute() -> None:
    """Each failed probe doubles the wait: 1, 2, 4, 8, 16, 30, 30 s, each +-20 %."""
    clock = FakeClock()
    breaker = _open(clock)
    for expected in (1, 2, 4, 8, 16, 30, 30):
        assert 0.8 * expected <= breaker.retry_in <= 1.2 * expected
        assert not breaker.allow()
        clock.now += breaker.retry_in
        assert breaker.allow()
        breaker.failed()
    assert "The probe failed too" in breaker.reason


def test_one_probe_at_a_time_and_its_success_closes() -> None:
    """While the probe is on its way nobody else passes; afterwards everybody does, and the waits begin anew."""
    clock = FakeClock()
    breaker = _open(clock)
    clock.now += 2
    assert breaker.allow()
    assert not breaker.allow()
    breaker.succeeded()
    assert [breaker.allow() for _ in range(3)] == [True] * 3
    assert breaker.retry_in == 0


def test_a_cancelled_probe_gives_its_slot_back() -> None:
    """The next call may probe at once."""
    clock = FakeClock()
    breaker = _open(clock)
    clock.now += 2
    assert breaker.allow()
    breaker.cancelled()
    assert breaker.allow()
    assert not breaker.allow()


def test_stragglers_decide_nothing() -> None:
    """Calls that began before the probe neither close, nor open, nor free its slot."""
    clock = FakeClock()
    before = clock.monotonic()
    breaker = _open(clock)
    clock.now += 2
    assert breaker.allow()
    breaker.succeeded(before)
    breaker.failed(before)
    breaker.cancelled(before)
    assert breaker.state is BreakerState.HALF_OPEN
    assert not breaker.allow()


def test_repr_shows_the_live_state() -> None:
    """The name, the state, the failures and when the probe goes."""
    assert repr(Breaker(FakeClock(), name="vllm")) == "<Breaker vllm closed, 0/0 failed>"
    assert repr(_open(FakeClock())).startswith("<Breaker vllm open, 5/5 failed, probe in ")


class BreakerMachine(RuleBasedStateMachine):
    """Any order of calls, ends, cancellations and time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.breaker = Breaker(self.clock, random.Random(3))
        self.flying: list[tuple[float, bool]] = []

    @rule()
    def send(self) -> None:
        closed = self.breaker.state is BreakerState.CLOSED
        if self.breaker.allow():
            self.flying.append((self.clock.now, not closed))

    @precondition(lambda self: self.flying)
    @rule(n=st.integers(0, 99), end=st.sampled_from(["succeeded", "failed", "failed", "cancelled"]))
    def end(self, n: int, end: str) -> None:
        started_at, _ = self.flying.pop(n % len(self.flying))
        getattr(self.breaker, end)(started_at)

    @rule(seconds=st.floats(0.001, 40))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def one_probe_at_most(self) -> None:
        probes = sum(probe for _, probe in self.flying)
        half_open = self.breaker.state is BreakerState.HALF_OPEN
        assert probes <= 1
        assert half_open == (probes == 1)

    @invariant()
    def never_stuck(self) -> None:
        """Without a probe on its way a call passes at the latest after the longest wait."""
        assert 0 <= self.breaker.retry_in <= 36
        assert self.breaker.reason.endswith(".")


BreakerMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestBreakerMachine = pytest.mark.filterwarnings("default")(BreakerMachine.TestCase)
