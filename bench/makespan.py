"""Makespan over its lower bound, and the first and the median finished restaurant against the plain skeleton.

One practice server of simulated speed, limits 50 (model) and 8 (search). The bound is max(model work / model limit,
search work / search limit, longest chain), from the service times of the same run over 300 restaurants. The finish
times are compared over 200 restaurants, one chunk of the skeleton. A search takes 0.1 s in the median, lognormal.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._skeleton import Skeleton
from bench._world import PacedSearcher, SamePrompts, median, run_engine
from core.practice import PracticeProcess

BOUND_ITEMS, FINISH_ITEMS, SEARCH, LLM, SEARCH_S = 300, 200, 8, 50, 0.1


async def main() -> None:
    """All on the same server, one after the other."""
    server = PracticeProcess("single-gpu-8b")
    try:
        long = await run_engine(server.url, BOUND_ITEMS, search_limit=SEARCH, llm_limit=LLM, search_s=SEARCH_S)
        ours = await run_engine(server.url, FINISH_ITEMS, search_limit=SEARCH, llm_limit=LLM, search_s=SEARCH_S)
        search = PacedSearcher(SEARCH_S).plain
        plain = Skeleton(server.url, "practice-small", search, search_limit=SEARCH, llm_limit=LLM)
        theirs = await plain.run([f"r{n}" for n in range(FINISH_ITEMS)], SamePrompts())
    finally:
        server.stop()
    bound = max(long.model_s / LLM, long.search_s / SEARCH, long.longest_chain_s)
    figures = {
        "bench": "makespan",
        "wall_s": round(long.wall_s, 2),
        "lower_bound_s": round(bound, 2),
        "over_bound": round(long.wall_s / bound, 3),
        "finish_wall_s": [round(ours.wall_s, 2), round(theirs.wall_s, 2)],
        "first_s": [round(ours.finished[0], 2), round(min(theirs.finished), 2)],
        "median_s": [round(median(ours.finished), 2), round(median(theirs.finished), 2)],
        "first_over_skeleton": round(ours.finished[0] / min(theirs.finished), 3),
        "median_over_skeleton": round(median(ours.finished) / median(theirs.finished), 3),
        "must": {"over_bound": 1.04, "first_over_skeleton": 0.3, "median_over_skeleton": 0.6},
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
