"""How far a call has come, and the one timer that bounds each of its steps."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum, auto
from types import SimpleNamespace, TracebackType
from typing import Any

import aiohttp


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds; the total is the request's own. first_byte None: only the total bounds it, for a queue may be long."""

    connect: float = 10.0
    first_byte: float | None = None
    idle: float = 30.0


class Step(Enum):
    """From SENT on the server may have the request; ENDED: the answer is complete, though its end is still to come."""

    QUEUED = auto()
    CONNECTING = auto()
    SENT = auto()
    READING = auto()
    ENDED = auto()


_LATE = {Step.SENT: "first_byte", Step.READING: "idle"}


class Progress:
    """One call's deadlines; an async context manager that raises TimeoutError when the step it is in is over time.

    late: the deadline that is the next to pass, total, first_byte or idle; gap: the longest pause between two pieces so
    far, in seconds.
    """

    __slots__ = ("_at", "_loop", "_seconds", "_timer", "_token", "_until", "gap", "late", "step")

    def __init__(self, seconds: float, deadlines: Deadlines) -> None:
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + seconds
        self._seconds = {
            Step.QUEUED: deadlines.connect,
            Step.CONNECTING: deadlines.connect,
            Step.SENT: deadlines.first_byte,
            Step.READING: deadlines.idle,
        }
        self._timer = asyncio.timeout(None)
        self._at = 0.0
        self.step = Step.CONNECTING
        self.late = ""
        self.gap = 0.0

    @property
    def sent(self) -> bool:
        """Whether the server may have the request."""
        return self.step not in {Step.QUEUED, Step.CONNECTING}

    def reach(self, step: Step) -> None:
        """A step begins, or goes on: its time runs anew. An answer that is complete cannot be late."""
        now = self._loop.time()
        if self.step is Step.READING:
            self.gap = max(self.gap, now - self._at)
        self.step, self._at = step, now
        seconds = self._seconds.get(step)
        until = self._until if seconds is None else min(self._until, now + seconds)
        self.late = "total" if until == self._until else _LATE.get(step, "")
        self._timer.reschedule(None if step is Step.ENDED else until)

    async def __aenter__(self) -> None:
        await self._timer.__aenter__()
        self._token = _CURRENT.set(self)
        self.reach(Step.CONNECTING)

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        _CURRENT.reset(self._token)
        await self._timer.__aexit__(kind, exc, trace)


_CURRENT: ContextVar[Progress] = ContextVar("progress")


def tracing() -> aiohttp.TraceConfig:
    """What a session of aiohttp needs to move its calls' progress on up to SENT."""
    config = aiohttp.TraceConfig()
    config.on_connection_queued_start.append(_at(Step.QUEUED))
    config.on_connection_create_start.append(_at(Step.CONNECTING))
    config.on_connection_create_end.append(_at(Step.SENT))
    config.on_connection_reuseconn.append(_at(Step.SENT))
    return config


def _at(step: Step) -> Any:
    async def reach(_session: aiohttp.ClientSession, _context: SimpleNamespace, _params: object) -> None:
        _CURRENT.get().reach(step)

    return reach
