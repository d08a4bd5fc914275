"""Makespan over its lower bound on a server that fails, and with calls that hang; nothing may be lost.

Model calls of 0.3 s; search limit 8, model limits 10 and 16 (the default). First 5 % 500s, 3 % 429s, 2 % resets in
mid-body and 1 % cut-off JSON over 100 restaurants; then 0.3 % of calls that hang for 20 s over 300. The stages have a
second model on the same server, for a call that has used up its tries. The bound is max(model work / model limit,
search work / search limit, longest chain) of the same run: what failed attempts took counts as work, what is waited
between them does not, and a call that hung counts as one that did not. Each figure is the median of three runs that
fail at other calls.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._world import RUN, Load, Place, Places, median, record_run
from core.practice import PracticeProcess
from core.store import Store

SEARCH, SEARCH_S, CALL_S = 8, 0.05, 0.3
LONGEST_S = 2 * CALL_S
LIMITS = (10, 16)
SEEDS = (5, 6, 7)
FAULTS = {"errors": 0.05, "stray": 0.03, "resets": 0.02, "garbage": 0.01}
HANGS = {"hangs": 0.003}


@dataclass
class Figures:
    """What a run took, what it can have taken at least, and what became of its restaurants."""

    wall_s: float
    bound_s: float
    lost: int
    failed: int

    @property
    def over(self) -> float:
        """How often the bound fits into it."""
        return self.wall_s / self.bound_s


async def measure(url: str, load: Load) -> Figures:
    """A recorded run and its bound."""
    places = Places(Place(url))
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "bench.db") as store:
        ran = await record_run(store, places, load)
        await places.aclose()
        return Figures(ran.wall_s, bound(store, load), ran.lost, ran.failed)


def bound(store: Store, load: Load) -> float:
    """The least a run with these service times can take; a call counts as LONGEST_S at most."""
    model = search = longest = 0.0
    for item in (f"r{n:06}" for n in range(load.items)):
        nodes: defaultdict[tuple[str, tuple[str, ...]], float] = defaultdict(float)
        for attempt in store.reports.timeline(RUN, item):
            seconds = min(attempt.service_s or 0.0, LONGEST_S)
            nodes[attempt.stage, attempt.parts] += seconds  # the tries of a call follow each other
            model += seconds if attempt.resource == "llm" else 0.0
            search += seconds if attempt.resource == "search" else 0.0
        slowest: defaultdict[str, float] = defaultdict(float)
        for (stage, _), seconds in nodes.items():
            slowest[stage] = max(slowest[stage], seconds)
        longest = max(longest, sum(slowest.values()))
    return max(model / load.llm_limit, search / SEARCH, longest)


def one(shares: dict[str, float], items: int, limit: int, seed: int) -> Figures:
    """A run against a server of its own."""
    load = Load(items, SEARCH, limit, SEARCH_S, fallback=("practice-large",))
    with PracticeProcess("fixed", latency_s=CALL_S, answers="brief", seed=seed, **shares) as server:
        return asyncio.run(measure(server.url, load))


Children = list[subprocess.Popen[str]]


def started(shares: dict[str, float], items: int, limit: int) -> Children:
    """A run for each seed, each in a process of its own, at the same time: they sleep for most of it."""
    command = [sys.executable, str(Path(__file__).resolve()), json.dumps(shares), str(items), str(limit)]
    return [subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, text=True) for seed in SEEDS]


def ended(children: Children) -> list[Figures]:
    """What they measured."""
    return [Figures(**json.loads(child.communicate()[0])) for child in children]


def at_limit(limit: int) -> tuple[list[Figures], list[Figures]]:
    """Three runs with faults and three with hangs."""
    faults, hangs = started(FAULTS, 100, limit), started(HANGS, 300, limit)
    return ended(faults), ended(hangs)


def main() -> None:
    """Faults and hangs at both limits."""
    runs = {limit: at_limit(limit) for limit in LIMITS}
    every = [run for pair in runs.values() for those in pair for run in those]
    figures = {
        "bench": "faults",
        "over_bound": {limit: round(median([run.over for run in faults]), 3) for limit, (faults, _) in runs.items()},
        "over_bound_hangs": {
            limit: round(median([run.over for run in hangs]), 3) for limit, (_, hangs) in runs.items()
        },
        "lost": sum(run.lost for run in every),
        "all": {
            limit: [[round(run.over, 3) for run in those] + [sum(run.failed for run in those)] for those in pair]
            for limit, pair in runs.items()
        },
        "must": {
            "over_bound.10": "<= 1.15",
            "over_bound.16": "<= 1.15",
            "over_bound_hangs.10": "<= 1.4",
            "over_bound_hangs.16": "<= 1.4",
            "lost": "<= 0",
        },
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        shares, items, limit, seed = sys.argv[1:]
        found = one(json.loads(shares), int(items), int(limit), int(seed))
        sys.stdout.write(json.dumps(asdict(found)))
    else:
        main()
