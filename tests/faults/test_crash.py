"""The process dies at every durable boundary of a whole run, SQLite's own method, and is killed at any moment."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from itertools import count as numbers
from pathlib import Path

import pytest

from core.base.records import RunStatus
from tests.faults.dying import DIED, Nursery
from tests.faults.world import RUN, Store, Story, World, attempts, story
from tests.support.fault_server import hang, response

SOAK = os.environ.get("BRIGADE_SOAK") == "1"
SERIES = (1, 2, 3, 4, 5, 8, 13, 21, 34, 55, 89)
KILLS = 200 if SOAK else 6
LLM_LIMIT, SEARCH_LIMIT = 4, 8


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as process:
        yield process


class Doomed:
    """A run whose processes die, until this one finishes it."""

    def __init__(self, path: Path, count: int, latency_s: float = 0.0) -> None:
        self.world = World(path, count=count)
        self.world.server.latency_s = latency_s
        self.world.store.close()
        self.deaths = 0

    def live(self, nursery: Nursery, *, die_at: int = 0, kill_after_s: float = 0.0) -> int:
        """Let a process work on it; its exit code. What it leaves open is at most what may be in flight."""
        world = self.world

        async def main() -> int:
            async with world.server:
                return await asyncio.to_thread(
                    nursery.run,
                    world.path,
                    world.server.url,
                    count=world.count,
                    die_at=die_at,
                    kill_after_s=kill_after_s,
                )

        code = asyncio.run(main())
        self.deaths += code != 0
        with Store.open(world.path) as store:
            for resource, limit in (("llm", LLM_LIMIT), ("search", SEARCH_LIMIT)):
                assert sum(row["state"] == "started" for row in attempts(store, RUN, resource)) <= limit
        return code

    def finish(self) -> Story:
        """Resume it here, check every invariant, and that no more was asked again than was in flight; its story."""
        world = self.world
        world.store = Store.open(world.path)
        view = world.play(resumed=True)
        assert (view.status, view.done, view.pending) == (RunStatus.FINISHED, world.count, 0)
        orphans = world.states()["orphaned"]
        assert len(world.server.log) - 4 * world.count <= orphans <= LLM_LIMIT * self.deaths
        searches = attempts(world.store, RUN, "search")
        lost = sum(row["state"] == "orphaned" for row in searches)
        assert len(searches) - world.count == lost <= SEARCH_LIMIT * self.deaths
        told = story(world.store)
        world.store.close()
        return told


def straight(path: Path, count: int) -> Story:
    """The story of a run that nobody interrupts."""
    world = World(path, count=count)
    world.play()
    told = story(world.store)
    world.store.close()
    return told


@pytest.mark.timeout(3600 if SOAK else 120)
def test_a_run_survives_its_death_at_any_durable_boundary(tmp_path: Path, nursery: Nursery) -> None:
    """Dead at the k-th commit, begin, settle or save, the resumed run equals one that was never interrupted.

    Only what was in flight is asked again; the servers' log, the ledger and the counters agree.
    """
    whole = straight(tmp_path / "whole.db", 3)
    died = 0
    for boundary in numbers(1) if SOAK else SERIES:
        doomed = Doomed(tmp_path / f"{boundary}.db", 3)
        code = doomed.live(nursery, die_at=boundary)
        assert code in (DIED, 0)
        assert doomed.finish() == whole, boundary
        if code == 0:
            break
        died = boundary
    assert died > (60 if SOAK else 20)


def test_a_run_survives_its_death_in_the_second_pass(tmp_path: Path, nursery: Nursery) -> None:
    """Killed while a restaurant is tried again: it is pending, and only the call in flight is asked again."""
    doomed = Doomed(tmp_path / "b.db", 6)
    doomed.world.server.plan("r1/price", *[response(500, {"error": {"message": "kitchen fire"}})] * 3, hang)
    assert doomed.live(nursery, kill_after_s=2.0)
    with Store.open(doomed.world.path) as store:
        view = store.runs.view(RUN)
        assert (view.done, view.failed, view.pending) == (5, 0, 1)
    doomed.world.store = Store.open(doomed.world.path)
    view = doomed.world.play(resumed=True)
    assert (view.status, view.done, view.failed) == (RunStatus.FINISHED, 6, 0)
    assert doomed.world.states() == {"ok": 24, "failed": 3, "orphaned": 1}
    assert len(doomed.world.server.log) == 24 + 3 + 1


@pytest.mark.timeout(3600 if SOAK else 120)
def test_a_run_survives_being_killed_at_any_moment(tmp_path: Path, nursery: Nursery) -> None:
    """SIGKILL at random moments, again and again in the same run: it ends as if nothing had happened."""
    rng = random.Random(11)
    whole = straight(tmp_path / "whole.db", 8)
    kills = 0
    for number in numbers():
        doomed = Doomed(tmp_path / f"{number}.db", 8, latency_s=0.01)
        while kills + doomed.deaths < KILLS and doomed.live(nursery, kill_after_s=rng.uniform(0.03, 0.5)):
            pass
        kills += doomed.deaths
        assert doomed.finish() == whole
        if kills >= KILLS:
            return
