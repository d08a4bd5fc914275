"""`--llm-limit auto` against the best fixed limit that a sweep of the same server finds, over real HTTP.

400 restaurants of the sample workload for each practice server, whose time is hastened: one GPU, one that is limited by
its memory, a shared one with noisy neighbours, and a pool of three uneven ones. Every run has fresh servers; the best
fixed limit and auto are repeated in turn, and medians compared, for this machine is not alone. The fixed limits of the
pool are multiples of each server's seats.

Throughput is work a second, over the whole run and over its second half (from the moment at which half of it is done):
output tokens, and prompt tokens as the share of one that they cost. Output tokens alone would favour limits that leave
the long totals for the second half.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._world import RUN, Load, Place, Places, record_run
from core.flow.limits.protocol import PROMPT_SHARE
from core.practice import PracticeProcess
from core.store import Store

ITEMS, SEARCH, SEARCH_S = 400, 24, 0.02
SPEED = 4.0
# Beyond that share of a core the client is measured, not the limit.
BUSY = 0.6
MUST = {"second_half": ">= 0.95", "whole": ">= 0.85", "client_cpu": f"<= {BUSY}"}
TURNS = 2


@dataclass(frozen=True)
class Scene:
    """Servers (preset and overrides each) and the fixed limits to sweep, one for each server.

    speed: how many times as fast as real time; several servers at once have less of this machine's CPU each.
    """

    name: str
    servers: Sequence[tuple[str, Mapping[str, object]]]
    sweep: Sequence[tuple[int, ...]]
    speed: float = SPEED


def _gpu(seats: int) -> tuple[str, Mapping[str, object]]:
    return "single-gpu-8b", {"seats": seats}


SCENES = (
    Scene("single-gpu-8b", [("single-gpu-8b", {})], [(n,) for n in (64, 128, 192)]),
    Scene("kv-limited", [("kv-limited", {})], [(n,) for n in (40, 56, 96)]),
    Scene("shared-noisy", [("shared-noisy", {})], [(n,) for n in (64, 128, 192)]),
    Scene("uneven-pool", [_gpu(16), _gpu(32), _gpu(64)], [(16, 32, 64), (24, 48, 96)], 3.0),
)


@dataclass(frozen=True)
class Ran:
    """Work a second, over the whole run and its second half; the share of a core that the client took; the limit that
    each server ended with; the changes."""

    whole: float
    second_half: float
    cpu: float
    limits: tuple[int, ...]
    changes: tuple[str, ...]


async def run(scene: Scene, limits: tuple[int, ...] | None) -> Ran:
    """A run with fixed limits, or with auto."""
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        servers = [
            stack.enter_context(PracticeProcess(name, speed=scene.speed, **more)) for name, more in scene.servers
        ]
        fixed = limits or (None,) * len(servers)
        places = Places(*(Place(server.url, n) for server, n in zip(servers, fixed, strict=True)))
        store = Store.open(Path(folder) / "bench.db")
        load = Load(ITEMS * len(servers), SEARCH, sum(limits) if limits else "auto", SEARCH_S)
        try:
            ran = await record_run(store, places, load)
            assert not ran.lost, ran
            changes = (
                f"{c.t:.1f} s {c.endpoint}: {c.old} -> {c.new} {c.reason}" for c in store.limit_changes.list(RUN)
            )
            cpu = ran.cpu_s / ran.wall_s
            return Ran(*rates(store), cpu, tuple(s.limit for s in store.lanes.latest(RUN)), tuple(changes))
        finally:
            await places.aclose()
            store.close()


def rates(store: Store) -> tuple[float, float]:
    """Work a second over the run and from half of it on."""
    calls = [a for a in store.reports.attempts(RUN, limit=100_000) if a.resource == "llm" and a.state == "ok"]
    works = [(a.output_tokens or 0) + PROMPT_SHARE * (a.input_tokens or 0) for a in calls]
    ends = sorted((a.t + (a.service_s or 0.0), work) for a, work in zip(calls, works, strict=True))
    begin, total, done = min(a.t for a in calls), sum(works), 0.0
    for at, work in ends:
        done += work
        if 2 * done >= total:
            return total / (ends[-1][0] - begin), (total - done) / (ends[-1][0] - at)
    raise AssertionError


async def play(scene: Scene) -> None:
    """Sweep, then auto and the best of the sweep in turn."""
    began = time.monotonic()
    swept = {limits: [await run(scene, limits)] for limits in scene.sweep}
    best = max(scene.sweep, key=lambda limits: swept[limits][0].whole)
    auto: list[Ran] = []
    for turn in range(TURNS):
        auto.append(await run(scene, None))
        if turn < TURNS - 1:
            swept[best].append(await run(scene, best))
    figures = {
        "bench": f"auto: {scene.name}",
        **{name: round(_median(auto, name) / _median(swept[best], name), 3) for name in ("whole", "second_half")},
        "client_cpu": round(_median(auto, "cpu"), 2),
        "best_fixed": best,
        "auto_ended_at": [ran.limits for ran in auto],
        "work_per_s": {str(limits): round(_median(runs, "whole")) for limits, runs in swept.items()},
        "seconds": round(time.monotonic() - began),
        "load": round(os.getloadavg()[0], 1),
        "must": MUST,
    }
    sys.stdout.write(json.dumps(figures) + "\n")
    if "--changes" in sys.argv:
        sys.stdout.write("".join(f"    {line}\n" for ran in auto for line in ran.changes))
    sys.stdout.flush()


def _median(runs: Sequence[Ran], name: str) -> float:
    return float(median(getattr(ran, name) for ran in runs))


async def main() -> None:
    """Every scene, or those that the command line names; `--changes` lists what auto did."""
    for scene in [scene for scene in SCENES if scene.name in sys.argv[1:]] or SCENES:
        await play(scene)


if __name__ == "__main__":
    asyncio.run(main())
