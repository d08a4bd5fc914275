"""The waiting line of the rates: lowest priority value first, one alarm for whoever is first. No arithmetic."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import NamedTuple, Protocol

from core.base.clock import Clock
from core.flow.rates_headers import KINDS, Kind

SHORTEST_SLEEP_S = 1e-3

# What the bucket of each kind of quota held right after a call was admitted (None: no such bucket then).
Marks = tuple[float | None, ...]
NO_MARKS: Marks = (None,) * len(KINDS)


class Load(NamedTuple):
    """The tokens of a call: those it reads, and those it writes or may write. A plain number stands for the first."""

    read: int
    written: int = 0

    @classmethod
    def of(cls, tokens: Load | int) -> Load:
        """The load of what a caller gives."""
        return tokens if isinstance(tokens, Load) else cls(tokens)

    def amount(self, kind: Kind) -> float:
        """What it takes of a quota of that kind."""
        if kind == "requests":
            return 1.0
        read, written = max(self.read, 0), max(self.written, 0)
        return float({"tokens": read + written, "input-tokens": read, "output-tokens": written}[kind])


class Till(Protocol):
    """What the line waits for: how long yet, taking a place, and giving one back unused."""

    def wait(self, tokens: Load | int) -> float: ...
    def take(self, tokens: Load | int) -> Reservation: ...
    def refund(self, reservation: Reservation) -> None: ...


class Reservation:
    """A place in the quota for one call. `started_at`: monotonic seconds of its admission, for `Rates.rejected`."""

    __slots__ = ("load", "marks", "number", "open", "started_at")

    def __init__(self, load: Load, started_at: float, number: int, marks: Marks = NO_MARKS) -> None:
        self.load = load
        self.started_at = started_at
        self.number = number
        self.marks = marks
        self.open = True

    def __repr__(self) -> str:
        tokens = f"{self.load.read} + {self.load.written} tokens"
        return f"<Reservation {self.number}, {tokens}, {'open' if self.open else 'settled'}>"


_Waiter = tuple[float, int, Load | int, "asyncio.Future[Reservation]"]


class Line:
    """Callers that wait for their turn. The first blocks those behind it, so that a large call is not starved."""

    def __init__(self, clock: Clock, till: Till, stopped: Callable[[], Exception]) -> None:
        self.waiting = 0
        self.shut = False
        self._clock = clock
        self._till = till
        self._stopped = stopped
        self._waiters: list[_Waiter] = []
        self._sequence = 0
        self._alarm: asyncio.Task[None] | None = None
        self._rings_at = 0.0

    async def join(self, tokens: Load | int, priority: float) -> Reservation:
        """Wait for a place."""
        if self.shut:
            raise self._stopped()
        waiter: asyncio.Future[Reservation] = asyncio.get_running_loop().create_future()
        self._sequence += 1
        heapq.heappush(self._waiters, (priority, self._sequence, tokens, waiter))
        self.waiting += 1
        self.move()
        try:
            return await waiter
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    def _leave(self, waiter: asyncio.Future[Reservation]) -> None:
        if not waiter.done() or waiter.cancelled():
            if not self.shut:
                self.waiting -= 1
                self.move()
        elif waiter.exception() is None:
            self._till.refund(waiter.result())

    def move(self) -> None:
        """Admit whose turn it is and set the alarm for the next: call it after every change of what is left."""
        while (first := self._first()) is not None:
            wait = self._till.wait(first[2])
            if wait > 0:
                self._ring_in(wait)
                return
            heapq.heappop(self._waiters)
            self.waiting -= 1
            first[3].set_result(self._till.take(first[2]))
        self._silence()

    def _first(self) -> _Waiter | None:
        while self._waiters and self._waiters[0][3].done():
            heapq.heappop(self._waiters)
        return self._waiters[0] if self._waiters else None

    def _ring_in(self, wait: float) -> None:
        at = self._clock.monotonic() + max(wait, SHORTEST_SLEEP_S)
        if self._alarm is not None and self._rings_at <= at:
            return
        self._silence()
        self._rings_at = at
        self._alarm = asyncio.get_running_loop().create_task(self._ring())

    async def _ring(self) -> None:
        await self._clock.sleep(self._rings_at - self._clock.monotonic())
        self._alarm = None
        self.move()

    def _silence(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def close(self) -> None:
        """Admit nobody ever again; waiters get the error."""
        self.shut = True
        self.waiting = 0
        self._silence()
        for *_, waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(self._stopped())
        self._waiters.clear()
