"""Quotas that an operator changes while calls wait."""

from __future__ import annotations

import asyncio

import pytest

from core.base.errors import ConfigError
from core.flow import Rates
from tests.support.clock import FakeClock, settle


def test_a_higher_quota_lets_who_waits_go_sooner() -> None:
    """At one a minute the second call waits a minute; at sixty, set meanwhile, a second."""

    async def main() -> None:
        clock = FakeClock()
        rates = Rates(1, clock=clock)
        await rates.admit()
        waiting = asyncio.create_task(rates.admit())
        await clock.advance(2)
        assert not waiting.done()
        rates.retune(60, None)
        await clock.advance(1.1)
        assert waiting.done()

    asyncio.run(main())


def test_a_quota_taken_away_lets_all_go() -> None:
    """Nobody waits for a bucket that is no more."""

    async def main() -> None:
        clock = FakeClock()
        rates = Rates(1, 10, clock)
        await rates.admit(10)
        waiting = [asyncio.create_task(rates.admit(10)) for _ in range(5)]
        await settle()
        rates.retune(None, None)
        await settle()
        assert all(task.done() for task in waiting)

    asyncio.run(main())


def test_a_quota_that_is_new_holds_from_now_on() -> None:
    """Unlimited until then; afterwards two calls are a second apart, and a call from before gives nothing back."""
    clock = FakeClock()
    rates = Rates(clock=clock)
    before = rates.take(100)
    rates.retune(60, None)
    rates.take(0)
    rates.settle(before, 1)
    assert 0.9 < rates.wait(0) <= 1.0
    with pytest.raises(ConfigError, match="rpm is 0"):
        rates.retune(0, None)
