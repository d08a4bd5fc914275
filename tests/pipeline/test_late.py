"""Calls that were sent before it was known how long to wait."""

from __future__ import annotations

import asyncio

import pytest

from core.base.errors import BrokenReplyError, ServerFaultError
from core.pipeline.late import unless_late
from tests.support.clock import FakeClock, settle

GRANTED_S = 60.0


class Call:
    """A call that is answered when the test says so."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.cancelled = False

    async def __call__(self) -> str:
        try:
            return await self.answer
        except asyncio.CancelledError:
            self.cancelled = True
            raise


def test_a_call_is_cut_once_it_is_known_that_it_hangs() -> None:
    """What was learned while it was on its way counts for it too; the call itself is cancelled before."""

    async def main() -> None:
        clock, call, learned = FakeClock(), Call(), [GRANTED_S]
        waiting = asyncio.ensure_future(unless_late(call(), lambda: learned[0], GRANTED_S, clock))
        await clock.advance(20.0)
        assert not waiting.done()
        learned[0] = 5.0
        await clock.advance(1.0)
        assert call.cancelled
        with pytest.raises(BrokenReplyError, match=r"5\.0 s is enough") as raised:
            await waiting
        assert raised.value.late == "total"
        assert clock.sleeping == 0

    asyncio.run(main())


def test_nothing_is_cut_by_the_timeout_it_was_granted() -> None:
    """That one is the client's own to keep."""

    async def main() -> None:
        clock, call = FakeClock(), Call()
        waiting = asyncio.ensure_future(unless_late(call(), lambda: GRANTED_S, GRANTED_S, clock))
        await clock.advance(GRANTED_S + 10)
        assert not waiting.done()
        call.answer.set_result("late, but there")
        assert await waiting == "late, but there"

    asyncio.run(main())


def test_answers_and_errors_come_through_at_once() -> None:
    """Neither waits for the next look, and nothing is left behind."""

    async def main() -> None:
        clock = FakeClock()
        good, bad = Call(), Call()
        pair = [asyncio.ensure_future(unless_late(c(), lambda: 5.0, GRANTED_S, clock)) for c in (good, bad)]
        await settle()
        good.answer.set_result("fine")
        bad.answer.set_exception(ServerFaultError("500", status=500))
        assert await pair[0] == "fine"
        with pytest.raises(ServerFaultError):
            await pair[1]
        await settle()
        assert clock.sleeping == 0

    asyncio.run(main())


def test_cancelling_cancels_the_call() -> None:
    """Whoever gives up takes the call with it."""

    async def main() -> None:
        clock, call = FakeClock(), Call()
        waiting = asyncio.ensure_future(unless_late(call(), lambda: 5.0, GRANTED_S, clock))
        await settle()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert call.cancelled

    asyncio.run(main())
