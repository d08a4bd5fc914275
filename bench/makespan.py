"""Makespan over its lower bound, and the first and the median finished restaurant against the plain skeleton.

300 restaurants on one practice server of simulated speed, limits 50 (model) and 8 (search). The bound is
max(model work / model limit, search work / search limit, longest chain), from the service times of the same run.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._skeleton import Skeleton
from bench._world import PacedSearcher, median, prompt, run_engine
from core.practice import PracticeProcess

ITEMS, SEARCH, LLM, SEARCH_S = 300, 8, 50, 0.03


async def main() -> None:
    """Both on the same server, one after the other."""
    server = PracticeProcess("single-gpu-8b")
    try:
        ours = await run_engine(server.url, ITEMS, search_limit=SEARCH, llm_limit=LLM, search_s=SEARCH_S)
        search = PacedSearcher(SEARCH_S).plain
        plain = Skeleton(server.url, "practice-small", search, search_limit=SEARCH, llm_limit=LLM)
        theirs = await plain.run([f"r{n}" for n in range(ITEMS)], prompt)
    finally:
        server.stop()
    bound = max(ours.model_s / LLM, ours.search_s / SEARCH, ours.longest_chain_s)
    figures = {
        "bench": "makespan",
        "wall_s": round(ours.wall_s, 2),
        "lower_bound_s": round(bound, 2),
        "over_bound": round(ours.wall_s / bound, 3),
        "skeleton_wall_s": round(theirs.wall_s, 2),
        "first_s": round(ours.finished[0], 2),
        "first_over_skeleton": round(ours.finished[0] / min(theirs.finished), 3),
        "median_over_skeleton": round(median(ours.finished) / median(theirs.finished), 3),
        "must": {"over_bound": 1.04, "first_over_skeleton": 0.3, "median_over_skeleton": 0.6},
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
