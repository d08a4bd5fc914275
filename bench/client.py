"""The model client against plain httpx: requests/s and CPU per call at 64 in flight, on a zero-latency server.

One JSON line. The server is a process of its own; CPU is that of this process, all of its threads.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.base.records import Message, ModelRequest
from core.models import HttpTransport, OpenAIModel
from core.practice import PracticeProcess

IN_FLIGHT = 64
CALLS = 8_000
HTTPX_CALLS = 1_200
PROMPT = "The waiter forgot our order twice. " * 60

Call = Callable[[], Awaitable[object]]


async def measure(call: Call, calls: int) -> dict[str, float]:
    """Requests/s and CPU milliseconds per call, after a warm-up."""
    await asyncio.gather(*(call() for _ in range(IN_FLIGHT)))
    left = iter(range(calls))

    async def worker() -> None:
        for _ in left:
            await call()

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    wall, used = time.perf_counter() - began, time.process_time() - cpu
    return {"requests_s": round(calls / wall), "cpu_ms": round(used / calls * 1000, 3)}


async def ours(url: str, *, stream: bool) -> dict[str, float]:
    """The client of core.models."""
    transport = HttpTransport()
    model = OpenAIModel(url, transport=transport, api_key="practice")
    request = ModelRequest("practice-small", (Message("user", PROMPT),), stream=stream)
    measured = await measure(lambda: model.complete(request), CALLS)
    await transport.aclose()
    return measured


async def plain(url: str) -> dict[str, float]:
    """httpx as it comes, doing the least one can do with an answer."""
    body = {"model": "practice-small", "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 256}
    headers = {"authorization": "Bearer practice"}
    limits = httpx.Limits(max_connections=1024, max_keepalive_connections=1024)
    async with httpx.AsyncClient(limits=limits, headers=headers, timeout=60) as client:

        async def call() -> str:
            response = await client.post(f"{url}/chat/completions", json=body)
            return str(response.json()["choices"][0]["message"]["content"])

        return await measure(call, HTTPX_CALLS)


def main() -> None:
    """Run all and print the line."""
    with PracticeProcess("zero") as server:
        found = {
            "client": asyncio.run(ours(server.url, stream=False)),
            "client_streaming": asyncio.run(ours(server.url, stream=True)),
            "client_uvloop": uvloop.run(ours(server.url, stream=False)),
            "httpx": asyncio.run(plain(server.url)),
        }
    ratios = {
        "times_httpx": round(found["client"]["requests_s"] / found["httpx"]["requests_s"], 1),
        "cpu_share_of_httpx": round(found["client"]["cpu_ms"] / found["httpx"]["cpu_ms"], 3),
    }
    figures = {"bench": "client", "in_flight": IN_FLIGHT, **found, **ratios, "must": {"client.cpu_ms": 0.6}}
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
