"""A call that was sent before anybody knew how long to wait is cut once it is known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from core.base.clock import Clock
from core.base.errors import BrokenReplyError

LOOK_S = 1.0
T = TypeVar("T")


async def unless_late(call: Coroutine[Any, Any, T], learned: Callable[[], float], granted: float, clock: Clock) -> T:
    """What the call gives. BrokenReplyError once it has taken longer than was `learned` meanwhile, where that is less
    than it was granted (seconds): it hangs, and held its permit for as long as a call may take at most."""
    began = clock.monotonic()
    answer = asyncio.ensure_future(call)
    try:
        while not await _done(answer, clock):
            waited, most = clock.monotonic() - began, learned()
            if waited >= most and most < granted:
                msg = f"No answer within {waited:.1f} s, where the others took so little that {most:.1f} s is enough."
                raise BrokenReplyError(msg, late="total")
        return answer.result()
    finally:
        if not answer.done():
            answer.cancel()
            await asyncio.wait({answer})


async def _done(answer: asyncio.Future[Any], clock: Clock) -> bool:
    """Whether the answer is there after at most a second."""
    look = asyncio.ensure_future(clock.sleep(LOOK_S))
    try:
        await asyncio.wait({answer, look}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        look.cancel()
    return answer.done()
