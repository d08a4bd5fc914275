"""Where the engine's workers get their items from: one at a time, in order, from any iterable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from core.base.records import Item, NodeResult


@dataclass(frozen=True, slots=True)
class Work:
    """An item with its place in the run and the results that an earlier session left. `again`: its second pass;
    inherited: what the run's parent has of it."""

    item: Item
    order: int
    prior: Sequence[NodeResult] = ()
    again: bool = False
    inherited: Sequence[NodeResult] = ()


Items = Iterable[Item] | AsyncIterable[Item] | AsyncIterable[Work]


class Feed:
    """Hands out work to many takers: `taken` so far, `exhausted` once the last has been handed out."""

    def __init__(self, items: Items) -> None:
        self.exhausted = False
        self.taken = 0
        self._lock = asyncio.Lock()
        self._source: AsyncIterator[Item | Work] = aiter(items) if isinstance(items, AsyncIterable) else _walk(items)
        self._next: Item | Work | None = None

    async def take(self) -> Work | None:
        """The next piece of work, None at the end."""
        async with self._lock:
            if self.exhausted:
                return None
            entry = self._next if self._next is not None else await anext(self._source, None)
            self._next = await anext(self._source, None) if entry is not None else None
            self.exhausted = self._next is None
            return None if entry is None else self._work(entry)

    def _work(self, entry: Item | Work) -> Work:
        self.taken += 1
        return entry if isinstance(entry, Work) else Work(entry, self.taken)


async def _walk(items: Iterable[Item]) -> AsyncIterator[Item]:
    for item in items:
        yield item
