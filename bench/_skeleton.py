"""The plain skeleton that a team writes on its first day: chunks of 200, a gather per stage, two semaphores.

Search all restaurants of the chunk, then summarise all aspects, then all totals; plain httpx, nothing recorded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import httpx

from core.base.records import Message

CHUNK = 200
ASPECTS = ("service", "price", "food")
Search = Callable[[str], Awaitable[list[str]]]
Prompts = Callable[[str, list[list[str]], list[str]], tuple[Message, ...]]


@dataclass
class Figures:
    """When each restaurant was finished, in seconds since the start, and the whole."""

    finished: list[float] = field(default_factory=list)
    wall_s: float = 0.0
    cpu_s: float = 0.0
    calls: int = 0


class Skeleton:
    """Runs restaurants the plain way."""

    def __init__(self, url: str, model: str, search: Search, *, search_limit: int, llm_limit: int) -> None:
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=120,
            limits=httpx.Limits(max_connections=llm_limit, max_keepalive_connections=llm_limit),
        )
        self._model = model
        self._search_one = search
        self._searching = asyncio.Semaphore(search_limit)
        self._asking = asyncio.Semaphore(llm_limit)
        self.figures = Figures()

    async def _search(self, item: str, aspect: str) -> list[str]:
        async with self._searching:
            self.figures.calls += 1
            return await self._search_one(f"{item}/{aspect}")

    async def _ask(self, messages: tuple[Message, ...], max_tokens: int) -> str:
        async with self._asking:
            self.figures.calls += 1
            body = {
                "model": self._model,
                "messages": [{"role": m.role, "content": m.content} for m in messages],
                "max_tokens": max_tokens,
                "temperature": 0,
            }
            reply = await self._client.post("/chat/completions", json=body)
            reply.raise_for_status()
            return str(reply.json()["choices"][0]["message"]["content"])

    async def run(self, items: Sequence[str], prompts: Prompts) -> Figures:
        """All restaurants, chunk by chunk, stage by stage. `prompts` gives the messages of an aspect or the total."""
        began, cpu = time.monotonic(), time.process_time()
        for start in range(0, len(items), CHUNK):
            await self._chunk(items[start : start + CHUNK], prompts, began)
        self.figures.wall_s = time.monotonic() - began
        self.figures.cpu_s = time.process_time() - cpu
        await self._client.aclose()
        return self.figures

    async def _chunk(self, items: Sequence[str], prompts: Prompts, began: float) -> None:
        pairs = [(item, aspect) for item in items for aspect in ASPECTS]
        found = await asyncio.gather(*(self._search(*pair) for pair in pairs))
        asked = (prompts(aspect, [rows], []) for (_, aspect), rows in zip(pairs, found, strict=True))
        summaries = await asyncio.gather(*(self._ask(messages, 160) for messages in asked))
        by_item = [slice(n, n + len(ASPECTS)) for n in range(0, len(summaries), len(ASPECTS))]

        async def total(of: slice) -> None:
            await self._ask(prompts("", found[of], summaries[of]), 256)
            self.figures.finished.append(time.monotonic() - began)

        await asyncio.gather(*(total(of) for of in by_item))
