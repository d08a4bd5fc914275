"""A fault server that answers by the prompt alone and keeps a log of what it was asked and what it charged."""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from core.base.records import Usage
from core.models.tokens import estimate_tokens
from tests.support.fault_server import Fault, FaultServer, Received, chunk, completion, response, stream

_ABOUT = re.compile(r"(?:About (\w+)|All) of Restaurant (\w+)")
_FENCE = re.compile(r'data id="[0-9a-f]+"')


class PerToken:
    """Half a dollar for a million tokens read, one and a half for a million written; ten times that of model `dear`."""

    read, written = Decimal("0.0000005"), Decimal("0.0000015")

    def ceiling(self, model: str, input_tokens: int, max_tokens: int) -> Decimal:
        return (10 if model == "dear" else 1) * (self.read * input_tokens + self.written * max_tokens)

    def cost(self, model: str, usage: Usage) -> Decimal:
        return self.ceiling(model, usage.input_tokens, usage.output_tokens)


PRICES = PerToken()


@dataclass
class Logged:
    """A request as it came. `key`: `r1/service`, `r1/` for the total; `usage`: told in a complete, good answer;
    `most`: the tokens it may write."""

    key: str
    model: str
    prompt: str
    streamed: bool
    at: float = field(default_factory=time.monotonic)
    usage: tuple[int, int] | None = None
    most: int = 0

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.prompt.encode()).hexdigest()

    @property
    def text(self) -> str:
        """What the model says: of the prompt alone, so that every run of it says the same."""
        return f"Verdict {self.digest[:12]} on {self.key} [1]."

    @property
    def tokens(self) -> tuple[int, int]:
        """What the call costs: never more than was reserved for it."""
        return estimate_tokens(self.prompt) * 9 // 10, 10 + int(self.digest[:2], 16) % 50


@dataclass(frozen=True)
class Says:
    """A complete answer with changed top-level fields (`changes`) or a changed choice (`choice`).

    `good`: whether it is an answer that may be accepted, with its tokens told as they are.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    choice: Mapping[str, Any] = field(default_factory=dict)
    good: bool = True


Plan = Fault | Says


class CountingServer(FaultServer):
    """Answers each request with what is planned for its key, else what `decide` says, else the queue, else well."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, latency_s: float = 0.0) -> None:
        super().__init__(tls=tls)
        self.latency_s = latency_s
        self.log: list[Logged] = []
        self.deaths = 0
        self.decide: Callable[[Logged], Plan | None] = lambda _: None
        self._planned: defaultdict[str, deque[Plan]] = defaultdict(deque)

    def plan(self, key: str, *faults: Plan) -> None:
        """What the next requests with that key meet."""
        self._planned[key].extend(faults)

    def asked(self, key: str) -> list[Logged]:
        """The requests with that key, in order."""
        return [entry for entry in self.log if entry.key == key]

    async def go_down(self) -> None:
        """Close the port and drop every connection, as a process that dies does."""
        self.deaths += 1
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def come_back(self) -> None:
        """Listen on the same port again."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _answer(self, received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not received.body:  # what it serves: asked for before a run begins, free of charge
            await response(200, {"data": [{"id": name} for name in ("small", "large")]})(received, writer)
            return
        entry = _entry(received)
        self.log.append(entry)
        doing = asyncio.ensure_future(self._do(self._next(entry), entry, received, writer))
        gone = asyncio.ensure_future(_hung_up(reader))
        try:
            await asyncio.wait([doing, gone], return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise ConnectionResetError
            await doing
        finally:
            for task in (doing, gone):
                task.cancel()
            await asyncio.gather(doing, gone, return_exceptions=True)

    def _next(self, entry: Logged) -> Plan:
        planned = self._planned[entry.key]
        if planned:
            return planned.popleft()
        decided = self.decide(entry)
        if decided is not None:
            return decided
        return self._faults.popleft() if self._faults else Says()

    async def _do(self, plan: Plan, entry: Logged, received: Received, writer: asyncio.StreamWriter) -> None:
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        if not isinstance(plan, Says):
            await plan(received, writer)
            return
        await _said(plan, entry)(received, writer)
        if plan.good:
            entry.usage = entry.tokens


def _entry(received: Received) -> Logged:
    said = received.json
    prompt = _FENCE.sub("data", "\n".join(message["content"] for message in said["messages"]))
    found = _ABOUT.search(prompt)
    assert found, prompt
    key, most = f"{found[2]}/{(found[1] or '').lower()}", int(said.get("max_tokens") or 0)
    return Logged(key, said["model"], prompt, bool(said.get("stream")), most=most)


def _said(plan: Says, entry: Logged) -> Fault:
    read, written = entry.tokens
    usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    if entry.streamed:
        return stream(chunk(entry.text), chunk(None, "stop"), {"choices": [], "usage": usage, **plan.changes})
    body = completion(entry.text, **{"usage": usage, **plan.changes})
    if body.get("choices"):
        body["choices"][0] |= plan.choice
    return response(200, body)


async def _hung_up(reader: asyncio.StreamReader) -> None:
    while not reader.at_eof() and reader.exception() is None:
        await asyncio.sleep(0.02)
