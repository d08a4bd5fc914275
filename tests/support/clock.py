"""A clock that moves only when a test says so."""

from __future__ import annotations

import asyncio
import heapq


class FakeClock:
    """Wall and monotonic time by hand; sleepers wake when `advance` passes their time."""

    def __init__(self, start: float = 1_000.0) -> None:
        self.now = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._sequence = 0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sequence += 1
        heapq.heappush(self._sleepers, (self.now + max(0.0, seconds), self._sequence, sleeper))
        await sleeper

    @property
    def sleeping(self) -> int:
        """How many coroutines sleep."""
        return sum(not s.done() for _, _, s in self._sleepers)

    async def advance(self, seconds: float) -> None:
        """Move time on, waking each sleeper at its own moment and letting it run until it blocks."""
        until = self.now + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            at, _, sleeper = heapq.heappop(self._sleepers)
            self.now = max(self.now, at)
            if not sleeper.done():
                sleeper.set_result(None)
            await settle()
        self.now = until
        await settle()


async def settle(rounds: int = 20) -> None:
    """Let every ready coroutine run until it blocks."""
    for _ in range(rounds):
        await asyncio.sleep(0)
