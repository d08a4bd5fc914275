"""How much of a quota of requests a minute is used, and how many 429s that takes.

The server allows 1,200 requests a minute and keeps five seconds' worth at most; 64 calls may be in flight where six
would do.
Once it tells of its quota in the headers of every answer, as hosted APIs do; once it says nothing at all, and its bare
429s are everything there is to learn from. Of the quota counts the first burst and what flows in until the last call;
what was accepted and rejected, and when, is read from the server's own log.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._world import Load, Place, Places, run_places
from core.practice import PracticeProcess

RPM, BURST_S, CALL_S = 1200, 5.0, 0.3
LOAD = Load(250, search_limit=8, llm_limit=64, search_s=0.02)


def server(*, terse: bool) -> PracticeProcess:
    """A server with the quota."""
    return PracticeProcess("fixed", latency_s=CALL_S, answers="brief", rpm=RPM, burst_s=BURST_S, terse=terse)


def told(url: str) -> dict[str, Any]:
    """The server's log."""
    with urlopen(f"{url.removesuffix('/v1')}/practice/log?entries=100000") as page:
        log: dict[str, Any] = json.load(page)
    return log


def used(log: dict[str, Any]) -> tuple[float, float]:
    """The share of the quota that was used, and the rejections per success."""
    arrivals = [entry["began_s"] for entry in log["entries"]]
    allowed = RPM / 60 * (BURST_S + max(arrivals) - min(arrivals))
    return log["ok"] / allowed, log["rejected"] / log["ok"]


async def both(urls: list[str]) -> int:
    """A run against each at the same time: they wait for most of it. How many restaurants were lost."""
    runs = await asyncio.gather(*(run_places(Places(Place(url)), LOAD) for url in urls))
    return sum(run.lost for run in runs)


def main() -> None:
    """Two servers in processes of their own."""
    with server(terse=False) as telling, server(terse=True) as silent:
        lost = asyncio.run(both([telling.url, silent.url]))
        (share, rejected), (blind, blind_rejected) = used(told(telling.url)), used(told(silent.url))
    figures = {
        "bench": "quota",
        "used": round(share, 3),
        "rejected": round(rejected, 4),
        "used_terse": round(blind, 3),
        "rejected_terse": round(blind_rejected, 4),
        "lost": lost,
        "must": {"used": ">= 0.97", "rejected": "<= 0.02", "lost": "<= 0"},
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
