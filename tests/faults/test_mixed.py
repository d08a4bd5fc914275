"""A long run on three endpoints under everything at once, one of which dies and returns."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from core.base.records import RunStatus
from core.pipeline.driver import RunDriver
from tests.faults.counting_server import CountingServer, Logged, Plan
from tests.faults.world import World, until, workload_of
from tests.support.fault_server import hang, reset_in_body, response

SOAK = os.environ.get("BRIGADE_SOAK") == "1"
COUNT = 300 if SOAK else 60
FAST_S, SLOW_S = 0.25, 1.5
SHARES: tuple[tuple[float, Plan], ...] = (
    (0.05, response(500, {"error": {"message": "kitchen fire"}})),
    (0.03, response(429, {"error": {"message": "slow down"}}, retry_after_ms="100")),
    (0.02, reset_in_body),
    (0.01, response(200, b'{"choices": [{"message": {"content": "All g')),
    (0.004, hang),
)


def unlucky(seed: int) -> Callable[[Logged], Plan | None]:
    """Draws for each request whether it fails and how, the same for the same seed."""
    rng = random.Random(seed)

    def decide(_: Logged) -> Plan | None:
        drawn = rng.random()
        for share, fault in SHARES:
            drawn -= share
            if drawn < 0:
                return fault
        return None

    return decide


def answer_in(seconds: float, *servers: CountingServer) -> None:
    """What the servers take for a call from now on."""
    for server in servers:
        server.latency_s = seconds


async def die_and_return(world: World, _: RunDriver) -> None:
    """Each endpoint is filled; the second dies after a part of the run, and is back soon; it is found again.

    The servers are slow until that is seen: on a busy machine the run would be over before.
    """
    victim = world.servers[1]
    await until(lambda: [place.peak for place in world.out.values()] == [6, 6, 6], "every place was taken", 60)
    answer_in(FAST_S, *world.servers)
    await until(lambda: sum(len(server.log) for server in world.servers) >= 4 * COUNT // 10, "the run is on", 60)
    await victim.go_down()
    await asyncio.sleep(0.8)
    before = len(victim.log)
    answer_in(SLOW_S, world.servers[0], world.servers[2])
    await victim.come_back()
    await until(lambda: len(victim.log) > before + 5, "the endpoint that is back is used again", 60)
    answer_in(FAST_S, *world.servers)


@pytest.mark.timeout(600 if SOAK else 120)
def test_a_run_under_everything_at_once_loses_nothing(tmp_path: Path) -> None:
    """Faults of every kind on three endpoints and the outage of one: every restaurant is done, each result once.

    A call that has used up its tries goes to the next model of its chain; the three logs equal the ledger.
    """
    world = World(
        tmp_path / "b.db",
        count=COUNT,
        llm_limit=18,
        workload=workload_of(timeout_s=3.0),
        chain=("m", "m-next", "m-last"),
        places=6,
    )
    world.servers = [CountingServer(latency_s=SLOW_S) for _ in range(3)]
    for seed, server in enumerate(world.servers):
        server.decide = unlucky(seed)
    view = world.play(die_and_return)
    assert (view.status, view.done, view.failed, view.pending) == (RunStatus.FINISHED, COUNT, 0, 0)
    assert {result.status for result in world.store.reports.results("run", limit=10_000)} == {"done"}
    asked = [len(server.log) for server in world.servers]
    assert min(asked) > COUNT // 6, "each endpoint had its share"
    assert [place.peak for place in world.out.values()] == [6, 6, 6]
