"""Makespan over its lower bound on a server that fails, and with calls that hang; nothing may be lost.

100 restaurants, model calls of 0.3 s, limits 10 (model) and 8 (search). First 5 % 500s, 3 % 429s, 2 % resets in
mid-body and 1 % cut-off JSON; then 0.3 % of calls that hang for 20 s. The stages have a second model on the same
server, for a call that has used up its tries. The bound is max(model work / model limit, search work / search limit,
longest chain) of the same run; what failed attempts took counts as work, what is waited between them does not. Each is
the median of three runs that fail at other calls.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._world import WORKLOAD, PacedSearcher, median
from core.base.allocation import Allocation
from core.base.records import Item
from core.base.workload import Stage
from core.base.workload_files import load_workload
from core.models import HttpTransport, OpenAIModel
from core.pipeline.allocations import Allocations
from core.pipeline.control import Commands
from core.pipeline.driver import Order, RunDriver
from core.pipeline.engine import Engine
from core.pipeline.routes import Route, Unpriced
from core.store import Store

ITEMS, SEARCH, LLM, SEARCH_S, CALL_S, HANG_S = 100, 8, 10, 0.05, 0.3, 20.0
SEEDS = (5, 6, 7)
FAULTS = {"500": 0.05, "429": 0.03, "reset": 0.02, "garbage": 0.01}
HANGS = {"hang": 0.003}
GOOD = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Good. [1]"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 300, "completion_tokens": 60},
}


class Failing(asyncio.Protocol):
    """A connection to a server that takes CALL_S and does what is drawn for each request."""

    def __init__(self, draw: Callable[[], str]) -> None:
        self._draw = draw
        self._buffer = b""
        self._answering: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answering:
            self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]):
            return
        self._buffer = b""
        fate = self._draw()
        seconds = {"429": 0.01, "hang": HANG_S}.get(fate, CALL_S)
        self._answering = asyncio.get_running_loop().call_later(seconds, self._answer, fate)

    def _answer(self, fate: str) -> None:
        if fate == "reset":
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{")
            linger = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()
            return
        status = int(fate) if fate.isdigit() else 200
        body = json.dumps(GOOD if status == 200 else {"error": {"message": "not now"}}).encode()
        body = body[:40] if fate == "garbage" else body
        head = f"HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


async def serve(shares: dict[str, float], seed: int) -> None:
    """Tell the port, and serve until stdin ends."""
    rng = random.Random(seed)
    fates, weights = [*shares, "good"], [*shares.values(), 1 - sum(shares.values())]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Failing(lambda: rng.choices(fates, weights)[0]), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    server.close()


@dataclass
class Figures:
    """What a run took, what it can have taken at least, and what became of its restaurants."""

    wall_s: float
    bound_s: float
    lost: int
    failed_calls: int

    @property
    def over(self) -> float:
        """How often the bound fits into it."""
        return self.wall_s / self.bound_s


async def measure(url: str) -> Figures:
    """A recorded run, driven as the service drives it."""
    transport = HttpTransport()
    client = OpenAIModel(url, transport=transport)
    plain = load_workload(WORKLOAD)
    workload = replace(plain, stages=tuple(replace(s, fallback=("second",)) for s in plain.stages))
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "bench.db") as store:
        ids = [f"r{n:06}" for n in range(ITEMS)]
        store.catalogue.put_items([Item(i, f"Restaurant {i}") for i in ids])
        store.runs.create("bench", workload.id, workload.item_kind, ids, {}, None, "bench")
        engine = Engine(
            workload,
            route=lambda name: Route("bench", name, client, Unpriced(), stream=False),
            searcher=PacedSearcher(SEARCH_S),
            search_limit=SEARCH,
            llm_limit=LLM,
            recorder=store.ledger,
            run_id="bench",
        )
        driver = RunDriver(store, Order("bench", "bench"), engine, Commands(store, "bench", Allocations(_plain)))
        began = time.monotonic()
        view = await driver.drive()
        wall = time.monotonic() - began
        failed = sum(stage.attempts - stage.ok for stage in store.reports.stages("bench"))
        figures = Figures(wall, bound(store, ids), ITEMS - view.done, failed)
    await transport.aclose()
    return figures


def _plain(stage: Stage) -> Allocation:
    return Allocation("first", stage.max_tokens, stage.temperature, stage.fallback)


def bound(store: Store, ids: list[str]) -> float:
    """The least a run with these service times can take."""
    stages = store.reports.stages("bench")
    work = {r: sum(s.service_s for s in stages if s.resource == r) for r in ("llm", "search")}
    return max(work["llm"] / LLM, work["search"] / SEARCH, *(chain(store, item) for item in ids))


def chain(store: Store, item: str) -> float:
    """The longest chain of one item's service times; the tries of a call follow each other."""
    nodes: defaultdict[tuple[str, tuple[str, ...]], float] = defaultdict(float)
    for attempt in store.reports.timeline("bench", item):
        nodes[attempt.stage, attempt.parts] += attempt.service_s or 0.0
    slowest: defaultdict[str, float] = defaultdict(float)
    for (stage, _), seconds in nodes.items():
        slowest[stage] = max(slowest[stage], seconds)
    return sum(slowest.values())


def against(shares: dict[str, float], seed: int) -> Figures:
    """A run against a server of its own, in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), json.dumps(shares), str(seed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            return asyncio.run(measure(f"http://127.0.0.1:{int(server.stdout.readline())}/v1"))
        finally:
            server.communicate()


def main() -> None:
    """Three runs with faults, three with hangs."""
    faults, hangs = ([against(shares, seed) for seed in SEEDS] for shares in (FAULTS, HANGS))
    figures = {
        "bench": "faults",
        "wall_s": [[round(run.wall_s, 2) for run in runs] for runs in (faults, hangs)],
        "lower_bound_s": [[round(run.bound_s, 2) for run in runs] for runs in (faults, hangs)],
        "failed_calls": [[run.failed_calls for run in runs] for runs in (faults, hangs)],
        "over_bound": round(median([run.over for run in faults]), 3),
        "over_bound_hangs": round(median([run.over for run in hangs]), 3),
        "lost": sum(run.lost for run in (*faults, *hangs)),
        "must": {"over_bound": 1.15, "over_bound_hangs": 1.4, "lost": 0},
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1]), int(sys.argv[2]))) if len(sys.argv) > 1 else main()
