"""`--llm-limit auto` against the best fixed limit that a sweep of the same server finds, over real HTTP.

400 restaurants of the sample workload on practice servers whose time is hastened: one GPU, one that is limited by its
memory, a shared one with noisy neighbours, and a pool of three uneven ones. Every run has fresh servers. Throughput is
output tokens a second, over the whole run and over its second half (from the moment at which half of the tokens are
out). The fixed limits of the pool are multiples of each server's seats.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench._world import RUN, Load, Place, Places, record_run
from core.practice import PracticeProcess
from core.store import Store

ITEMS, SEARCH, SEARCH_S = 400, 24, 0.02
SPEED = 4.0
MUST = {"second_half": ">= 0.95", "whole": ">= 0.85"}


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
    Scene("single-gpu-8b", [("single-gpu-8b", {})], [(n,) for n in (64, 96, 128, 160, 224)]),
    Scene("kv-limited", [("kv-limited", {})], [(n,) for n in (24, 40, 56, 80, 112)]),
    Scene("shared-noisy", [("shared-noisy", {})], [(n,) for n in (64, 96, 128, 192)]),
    Scene("uneven-pool", [_gpu(16), _gpu(32), _gpu(64)], [(16, 32, 64), (18, 36, 72), (24, 48, 96)], 1.5),
)


@dataclass(frozen=True)
class Ran:
    """Tokens a second, over the whole run and its second half; the limit that each server ended with; the changes."""

    whole: float
    second_half: float
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
        try:
            ran = await record_run(store, places, Load(ITEMS, SEARCH, sum(limits) if limits else "auto", SEARCH_S))
            assert not ran.lost, ran
            changes = (
                f"{c.t:.1f} s {c.endpoint}: {c.old} -> {c.new} {c.reason}" for c in store.limit_changes.list(RUN)
            )
            return Ran(*rates(store), tuple(s.limit for s in store.lanes.latest(RUN)), tuple(changes))
        finally:
            await places.aclose()
            store.close()


def rates(store: Store) -> tuple[float, float]:
    """Tokens a second over the run and from half of the tokens on."""
    calls = [a for a in store.reports.attempts(RUN, limit=100_000) if a.resource == "llm" and a.state == "ok"]
    ends = sorted((a.t + (a.service_s or 0.0), a.output_tokens or 0) for a in calls)
    begin, total, out = min(a.t for a in calls), sum(tokens for _, tokens in ends), 0
    for at, tokens in ends:
        out += tokens
        if 2 * out >= total:
            return total / (ends[-1][0] - begin), (total - out) / (ends[-1][0] - at)
    raise AssertionError


async def play(scene: Scene) -> None:
    """Sweep, then auto."""
    swept = {sum(limits): await run(scene, limits) for limits in scene.sweep}
    auto = await run(scene, None)
    best = max(swept, key=lambda total: swept[total].whole)
    figures = {
        "bench": f"auto: {scene.name}",
        "second_half": round(auto.second_half / max(ran.second_half for ran in swept.values()), 3),
        "whole": round(auto.whole / swept[best].whole, 3),
        "best_fixed": best,
        "auto_ended_at": auto.limits,
        "tokens_per_s": {
            name: [round(ran.whole), round(ran.second_half)] for name, ran in {**swept, "auto": auto}.items()
        },
        "must": MUST,
    }
    sys.stdout.write(json.dumps(figures) + "\n")
    if "--changes" in sys.argv:
        sys.stdout.write("".join(f"    {line}\n" for line in auto.changes))
    sys.stdout.flush()


async def main() -> None:
    """Every scene, or those that the command line names; `--changes` lists what auto did."""
    for scene in [scene for scene in SCENES if scene.name in sys.argv[1:]] or SCENES:
        await play(scene)


if __name__ == "__main__":
    asyncio.run(main())
