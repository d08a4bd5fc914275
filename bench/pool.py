"""One model on three uneven servers (1 : 2 : 4 seats) against the best static split of the same calls.

The static split is given what no operator has: it knows the seats, and sends each server its share of the restaurants
with a limit of its own, all three runs at the same time; the slowest of them counts. The pool is given the limits only.
Then the same with a limit of 14 for all together and none for each: what is found out by latency alone.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._world import Load, Place, Places, run_places
from core.practice import PracticeProcess

SEATS, UNIT, CALL_S, SEARCH, SEARCH_S = (2, 4, 8), 20, 0.3, 8, 0.03
ALL = sum(SEATS)
ITEMS = UNIT * ALL


async def split(urls: list[str]) -> float:
    """Seconds of three runs side by side, each with its server's share."""
    began = time.monotonic()
    loads = [Load(ITEMS * seats // ALL, SEARCH, seats, SEARCH_S) for seats in SEATS]
    pairs = zip(urls, loads, strict=True)
    runs = await asyncio.gather(*(run_places(Places(Place(url)), load) for url, load in pairs))
    assert not sum(run.lost for run in runs)
    return time.monotonic() - began


async def pooled(urls: list[str], limits: tuple[int | None, ...]) -> tuple[float, list[int]]:
    """Seconds of one run on all three, and how many calls each server took."""
    places = Places(*(Place(url, limit) for url, limit in zip(urls, limits, strict=True)))
    ran = await run_places(places, Load(ITEMS, SEARCH, ALL, SEARCH_S))
    assert not ran.lost
    return ran.wall_s, [lane.successes for lane in places.lanes]


async def measure(urls: list[str]) -> dict[str, object]:
    """All on the same servers, one after the other."""
    alone, (wall, shares), (blind, blind_shares) = (
        await split(urls),
        await pooled(urls, SEATS),
        await pooled(urls, (None, None, None)),
    )
    return {
        "bench": "pool",
        "split_wall_s": round(alone, 2),
        "pool_wall_s": [round(wall, 2), round(blind, 2)],
        "calls": [shares, blind_shares],
        "of_best_split": round(alone / wall, 3),
        "of_best_split_without_limits": round(alone / blind, 3),
        "must": {"of_best_split": ">= 0.95"},
    }


def main() -> None:
    """Three servers in processes of their own."""
    with ExitStack() as stack:
        server = [
            stack.enter_context(PracticeProcess("fixed", latency_s=CALL_S, answers="brief", seats=seats))
            for seats in SEATS
        ]
        figures = asyncio.run(measure([each.url for each in server]))
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
