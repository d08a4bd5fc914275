"""Searching without a run: the evidence of items, as a run of the same workload would find it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from core.base.errors import SearchUnavailableError, UsageError
from core.base.records import Evidence, Item, Query, Searcher
from core.base.workload import Workload
from core.connections import Connections
from core.flow import Backoff
from core.pipeline.plan import expand
from core.runtime import Runtime

TRIES = 3
AHEAD = 2


@dataclass(frozen=True, slots=True)
class Found:
    """What one item's search brought for one part, best first."""

    item_id: str
    part: str
    ranked: tuple[Evidence, ...]


def queries_of(workload: Workload, item: Item) -> tuple[Query, ...]:
    """What the workload asks for an item: UsageError where it does not search."""
    nodes = [node for node in expand(workload, item).nodes if node.stage.kind == "search"]
    if not nodes:
        msg = f"Workload {workload.id!r} has no search stage: there is no evidence to look for."
        raise UsageError(msg)
    return tuple(part.query or Query(part.id, (part.title,)) for node in nodes for part in node.parts)


def search_items(
    runtime: Runtime, connect: Callable[[], Connections], workload: Workload, items: Iterable[Item], limit: int
) -> Iterator[Found]:
    """The evidence in the items' order, `limit` searches in flight; what is ahead is bounded."""
    connections = connect()
    runtime.call(connections.__aenter__())
    ahead: deque[Future[list[Found]]] = deque()
    try:
        search = _Search(runtime.call(connections.searcher()), limit)
        for item in items:
            ahead.append(runtime.submit(search.one(item.id, queries_of(workload, item))))
            if len(ahead) >= AHEAD * limit:
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()
    finally:
        for future in ahead:
            future.cancel()
        runtime.call(connections.__aexit__())


class _Search:
    """One searcher and its permits."""

    def __init__(self, searcher: Searcher, limit: int) -> None:
        self._searcher = searcher
        self._permits = asyncio.Semaphore(limit)
        self._backoff = Backoff()

    async def one(self, item_id: str, queries: Sequence[Query]) -> list[Found]:
        """An item's evidence; SearchError after the last try."""
        for number in range(TRIES):
            try:
                async with self._permits:
                    rows = await self._searcher.search(item_id, queries)
            except SearchUnavailableError:
                if number + 1 == TRIES:
                    raise
                await asyncio.sleep(self._backoff.wait(number))
            else:
                return [Found(item_id, q.part, tuple(found)) for q, found in zip(queries, rows, strict=True)]
        raise AssertionError  # pragma: no cover - the last try returns or raises
