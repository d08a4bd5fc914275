"""The gate: resizable, priority-ordered permits of one resource.

Lowering the limit lets running work finish; raising it wakes exactly the spare. A gate can be paused by the operator,
cooled down after a server's rejection, and shut for good when a run ends. It belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.base.clock import SYSTEM_CLOCK, Clock
from core.base.errors import BrigadeError, ConfigError
from core.base.views import GateSample

UNLIMITED = 1_000_000_000  # the limit of a gate that holds nobody up


class StoppedError(BrigadeError):
    """The gate was shut: nothing is admitted any more."""


def check_limit(limit: int, name: str = "limit") -> int:
    """The limit itself, when it can be one: a whole number of at least 1."""
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        msg = f"The {name} limit is {limit!r}; it must be a whole number of at least 1. Use pause to admit nothing."
        raise ConfigError(msg)
    return limit


class Gate:
    """Permits of one resource, handed out lowest priority value first (ties: who came first)."""

    def __init__(self, name: str, limit: int, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = name
        self.limit = check_limit(limit, name)
        self.in_flight = 0
        self.peak = 0
        self.paused = False
        self.opens_at = 0.0
        self._clock = clock
        self._waiters: list[tuple[float, int, asyncio.Future[None]]] = []
        self._waiting = 0
        self._sequence = 0
        self._shut = False
        self._alarm: asyncio.Task[None] | None = None
        self._meter = _Meter(clock.monotonic())

    def __repr__(self) -> str:
        return f"<Gate {self.name} {self.in_flight}/{self.limit}, {self._waiting} waiting{self._state()}>"

    def _state(self) -> str:
        if self._shut:
            return ", shut"
        return ", paused" if self.paused else ", cooling down" if self.cooling else ""

    @property
    def waiting(self) -> int:
        """How many callers wait for a permit."""
        return self._waiting

    @property
    def cooling(self) -> bool:
        """Whether a cool-down is under way."""
        return self.opens_at > 0 and self._clock.monotonic() < self.opens_at

    @property
    def _open(self) -> bool:
        return not (self.paused or self._shut or self.cooling)

    @asynccontextmanager
    async def permit(self, priority: float = 0.0) -> AsyncIterator[None]:
        """Hold a permit for the length of a `with` block."""
        await self.acquire(priority)
        try:
            yield
        finally:
            self.release()

    async def acquire(self, priority: float = 0.0) -> None:
        """Wait for a permit; StoppedError once the gate is shut."""
        if self._shut:
            raise StoppedError(f"The {self.name} gate is shut.")
        if self.in_flight < self.limit and not self._waiting and self._open:
            self._take()
            return
        await self._queue(priority)

    async def _queue(self, priority: float) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._meter.advance(self._clock.monotonic(), self)
        self._sequence += 1
        heapq.heappush(self._waiters, (priority, self._sequence, waiter))
        self._waiting += 1
        self._grant()
        try:
            await waiter
        except asyncio.CancelledError:
            self._give_up(waiter)
            raise

    def _give_up(self, waiter: asyncio.Future[None]) -> None:
        if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            self.release()
        elif not self._shut:
            self._meter.advance(self._clock.monotonic(), self)
            self._waiting -= 1

    def release(self) -> None:
        """Give a permit back."""
        self._meter.advance(self._clock.monotonic(), self)
        self.in_flight -= 1
        self._grant()

    def _take(self) -> None:
        self._meter.advance(self._clock.monotonic(), self)
        self.in_flight += 1
        if self.in_flight > self._meter.peak:
            self._meter.peak = self.in_flight
            self.peak = max(self.peak, self.in_flight)

    def _grant(self) -> None:
        while self._waiters and self.in_flight < self.limit and self._open:
            _, _, waiter = heapq.heappop(self._waiters)
            if not waiter.done():
                self._waiting -= 1
                self._take()
                waiter.set_result(None)

    def resize(self, limit: int) -> None:
        """Change the limit; running work above a lower one finishes undisturbed."""
        self._meter.advance(self._clock.monotonic(), self)
        self.limit = check_limit(limit, self.name)
        self._grant()

    def pause(self) -> None:
        """Admit nothing until `resume`."""
        self.paused = True

    def resume(self) -> None:
        """Admit again."""
        self.paused = False
        self._grant()

    def cool_down(self, seconds: float) -> None:
        """Admit nothing for that long; overlapping cool-downs do not add up."""
        until = self._clock.monotonic() + seconds
        if until <= self.opens_at or self._shut:
            return
        self.opens_at = until
        if self._alarm is None or self._alarm.done():
            self._alarm = asyncio.get_running_loop().create_task(self._reopen())

    async def _reopen(self) -> None:
        while (left := self.opens_at - self._clock.monotonic()) > 0:
            await self._clock.sleep(left)
        self._grant()

    def shut(self) -> None:
        """Admit nothing ever again: waiters get StoppedError, running work finishes."""
        self._shut = True
        self._waiting = 0
        for _, _, waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(StoppedError(f"The {self.name} gate is shut."))
        self._waiters.clear()
        if self._alarm is not None:
            self._alarm.cancel()

    def sample(self, since_start: float) -> GateSample:
        """What the gate did since the last sample; `since_start` is the run's time in seconds."""
        self._meter.advance(self._clock.monotonic(), self)
        average, full, peak = self._meter.take(self.in_flight)
        return GateSample(since_start, self.name, self.limit, self.in_flight, self._waiting, average, full, peak)


class _Meter:
    """Time-weighted sums of a gate between two samples."""

    __slots__ = ("area", "full", "last", "peak", "since")

    def __init__(self, now: float) -> None:
        self.last = self.since = now
        self.area = self.full = 0.0
        self.peak = 0

    def advance(self, now: float, gate: Gate) -> None:
        span = now - self.last
        self.area += span * gate.in_flight
        if gate.in_flight >= gate.limit and gate.waiting:
            self.full += span
        self.last = now

    def take(self, in_flight: int) -> tuple[float, float, int]:
        span = max(self.last - self.since, 1e-9)
        taken = self.area / span, min(1.0, self.full / span), max(self.peak, in_flight)
        self.since, self.area, self.full, self.peak = self.last, 0.0, 0.0, in_flight
        return taken
