"""Calls per second and CPU per call against a zero-latency server, over the plain skeleton on httpx.

Everything of ours is recorded. A restaurant has seven calls: three searches and four summaries. Model limit 64.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._skeleton import Skeleton
from bench._world import PacedSearcher, SamePrompts, run_engine
from core.practice import PracticeProcess
from core.runtime import loop_factory

ITEMS, SEARCH, LLM = 1500, 8, 64


async def main() -> None:
    """Ours, then the skeleton, on the same server."""
    server = PracticeProcess("zero", answers="brief")
    try:
        await run_engine(server.url, 100, search_limit=SEARCH, llm_limit=LLM, search_s=0.0)
        ours = await run_engine(server.url, ITEMS, search_limit=SEARCH, llm_limit=LLM, search_s=0.0)
        search = PacedSearcher(0.0).plain
        plain = Skeleton(server.url, "practice-small", search, search_limit=SEARCH, llm_limit=LLM)
        theirs = await plain.run([f"r{n}" for n in range(ITEMS // 5)], SamePrompts())
    finally:
        server.stop()
    rate, base = ours.calls / ours.wall_s, theirs.calls / theirs.wall_s
    figures = {
        "bench": "throughput",
        "calls_per_s": round(rate),
        "skeleton_calls_per_s": round(base),
        "over_skeleton": round(rate / base, 2),
        "cpu_ms_per_call": round(1000 * ours.cpu_s / ours.calls, 3),
        "skeleton_cpu_ms_per_call": round(1000 * theirs.cpu_s / theirs.calls, 3),
        "must": {"over_skeleton": ">= 5.0", "cpu_ms_per_call": 0.7},
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main())
