"""A limit set far too high: 32 calls at once against 8 seats and a queue of 4, with 429 beyond. Nothing may be lost.

100 restaurants, model calls of 0.3 s. The bound is what the server can do at most: all calls of the run over 8 seats.
Once it says with its 429 that its queue is full and when to come again, once it says nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._world import Load, Place, Places, Ran, run_places
from core.practice import PracticeProcess

ITEMS, CALLS, SEATS, QUEUE, CALL_S = 100, 4, 8, 4, 0.3
LOAD = Load(ITEMS, search_limit=8, llm_limit=32, search_s=0.05)
BOUND_S = ITEMS * CALLS * CALL_S / SEATS


def against(*, terse: bool) -> Ran:
    """A run against a server of its own."""
    with PracticeProcess("fixed", latency_s=CALL_S, answers="brief", seats=SEATS, queue=QUEUE, terse=terse) as server:
        return asyncio.run(run_places(Places(Place(server.url)), LOAD))


def main() -> None:
    """One run each."""
    spoken, terse = against(terse=False), against(terse=True)
    figures = {
        "bench": "crowding",
        "wall_s": [round(spoken.wall_s, 2), round(terse.wall_s, 2)],
        "lower_bound_s": BOUND_S,
        "rejected": [spoken.failed, terse.failed],
        "over_bound": round(spoken.wall_s / BOUND_S, 3),
        "over_bound_terse": round(terse.wall_s / BOUND_S, 3),
        "lost": spoken.lost + terse.lost,
        "must": {"over_bound": "<= 1.15", "over_bound_terse": "<= 1.15", "lost": "<= 0"},
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
