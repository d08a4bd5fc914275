"""Real classes with a queue, in the place of models, searchers and ledgers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from core.base.records import (
    Attempt,
    Evidence,
    ModelReply,
    ModelRequest,
    NodeResult,
    Query,
    Settlement,
    Usage,
)
from core.base.workload import Part, PartKind, Prompt, Stage, Workload
from core.store import ItemDone

Answer = str | BaseException | Callable[[ModelRequest], str]


class FakeModel:
    """Answers from a queue, then with `default`; `hold` keeps every call until it is set."""

    def __init__(self, default: Answer = "A fine place [1].", *, wait: Callable[[], object] | None = None) -> None:
        self.default = default
        self.queue: deque[Answer] = deque()
        self.requests: list[ModelRequest] = []
        self.hold: asyncio.Event | None = None
        self.in_flight = 0
        self.peak = 0
        self.wait = wait

    def enqueue(self, *answers: Answer) -> None:
        self.queue.extend(answers)

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.requests.append(request)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            if self.hold is not None:
                await self.hold.wait()
            else:
                await asyncio.sleep(0)
            return self._reply(self.queue.popleft() if self.queue else self.default, request)
        finally:
            self.in_flight -= 1

    def _reply(self, answer: Answer, request: ModelRequest) -> ModelReply:
        if isinstance(answer, BaseException):
            raise answer
        text = answer if isinstance(answer, str) else answer(request)
        return ModelReply(text, Usage(100, 20))

    async def aclose(self) -> None:
        return None


class FakeSearcher:
    """Finds `found` sentences per query, except for parts in `empty`; errors come from a queue."""

    def __init__(self, found: int = 3, empty: Sequence[str] = ()) -> None:
        self.found = found
        self.empty = set(empty)
        self.queue: deque[BaseException] = deque()
        self.asked: list[str] = []
        self.hold: dict[str, asyncio.Event] = {}

    def enqueue(self, *errors: BaseException) -> None:
        self.queue.extend(errors)

    async def search(self, item_id: str, queries: Sequence[Query]) -> list[list[Evidence]]:
        self.asked.append(item_id)
        if item_id in self.hold:
            await self.hold[item_id].wait()
        await asyncio.sleep(0)
        if self.queue:
            raise self.queue.popleft()
        return [[] if q.part in self.empty else self._rows(item_id, q) for q in queries]

    def _rows(self, item_id: str, query: Query) -> list[Evidence]:
        return [
            Evidence(f"{item_id}-{n}", f"The {query.part} at table {n} was good.", 1.0 - n / 10)
            for n in range(self.found)
        ]

    async def aclose(self) -> None:
        return None


@dataclass
class MemoryRecorder:
    """A ledger in lists; `order` tells what happened in which order."""

    begun: list[Attempt] = field(default_factory=list)
    settled: list[tuple[Attempt, Settlement]] = field(default_factory=list)
    results: list[NodeResult] = field(default_factory=list)
    items: list[ItemDone] = field(default_factory=list)
    fail_with: BaseException | None = None

    async def begin(self, attempt: Attempt) -> int:
        if self.fail_with is not None:
            raise self.fail_with
        self.begun.append(attempt)
        return len(self.begun)

    async def settle(
        self,
        attempt_id: int,
        attempt: Attempt,
        settlement: Settlement,
        results: Sequence[NodeResult] = (),
        item: ItemDone | None = None,
    ) -> None:
        self.settled.append((attempt, settlement))
        await self.save(results, item)

    async def save(self, results: Sequence[NodeResult], item: ItemDone | None = None) -> None:
        self.results.extend(results)
        if item is not None:
            self.items.append(item)

    def open_attempts(self) -> int:
        return len(self.begun) - len(self.settled)


@dataclass(frozen=True)
class FlatPrice:
    """The same price for every call."""

    usd: Decimal = Decimal("0.01")

    def ceiling(self, model: str, input_tokens: int, max_tokens: int) -> Decimal | None:
        return self.usd

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        return self.usd


def reviews_workload(**total: object) -> Workload:
    """Three aspects searched and summarised, one total: the shipped workload in small."""
    aspects = tuple(Part(a, a.title(), query=Query(a, (f"about {a}",))) for a in ("service", "price", "food"))
    stages = (
        Stage("search", "search", each="aspect"),
        Stage("aspect_summary", "llm", each="aspect", after=("search",), prompt="aspect", max_tokens=80),
        Stage("total_summary", "llm", after=("aspect_summary",), prompt="total", **total),  # type: ignore[arg-type]
    )
    prompts = {
        "aspect": Prompt("aspect", "You summarise.", "About {{part}} of {{item}}:\n{{evidence}}"),
        "total": Prompt("total", "You summarise.", "All of {{item}}:\n{{results}}"),
    }
    return Workload("reviews", "Reviews", stages, {"aspect": PartKind("aspect", aspects)}, prompts)


def cards_workload(batch: int = 3, **stage: object) -> Workload:
    """Cards from a list field in batches, then one reading."""
    stages = (
        Stage("card", "llm", each="card", prompt="card", batch_size=batch, **stage),  # type: ignore[arg-type]
        Stage("reading", "llm", after=("card",), prompt="reading"),
    )
    prompts = {
        "card": Prompt("card", "", "Interpret as JSON:\n{{parts}}"),
        "reading": Prompt("reading", "", "Combine:\n{{results}}"),
    }
    return Workload("cards", "Cards", stages, {"card": PartKind("card", source="cards")}, prompts, item_kind="reading")
