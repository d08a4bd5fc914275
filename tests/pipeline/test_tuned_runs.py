"""Adaptive limits of a run in a real database: commands, facts, resuming, and two runs at one server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from core.base.allocation import Allocation
from core.base.errors import ConfigError
from core.base.records import Item, RunStatus
from core.base.views import RunView
from core.base.workload import Stage
from core.models.room import check_room, connection_room
from core.pipeline.allocations import Allocations
from core.pipeline.control import Commands
from core.pipeline.driver import Order, RunDriver
from core.pipeline.engine import Engine
from core.pipeline.pool import Lane, Pool
from core.pipeline.routes import Route, Unpriced
from core.store import Store
from tests.pipeline.test_driver import Desk
from tests.support.fakes import FakeModel, FakeSearcher, reviews_workload
from tests.support.scripted_limit import Scripts

GPU = "http://gpu:8000/v1"


def plain(stage: Stage) -> Allocation:
    return Allocation("fake", stage.max_tokens, stage.temperature)


class Tuned(Desk):
    """A desk whose run has one server at an address, and scripted algorithms."""

    def __init__(self, path: Path, run: str = "run", count: int = 40, llm: Any = "auto") -> None:
        self.run_id = run
        self.llm = llm
        self.scripts = Scripts()
        self.model = FakeModel()
        self.searcher = FakeSearcher()
        self.store = Store.open(path)
        ids = [f"r{n}" for n in range(count)]
        self.store.catalogue.put_items([Item(i, f"Restaurant {i}") for i in ids])
        if run not in [view.id for view in self.store.runs.list()]:
            self.store.runs.create(run, "reviews", "restaurant", ids, {}, None, "test")
        self.allocations = Allocations(plain)

    def driver(self, *, resumed: bool = False, owner: str = "here:1:a") -> RunDriver:
        route = Route("gpu", "fake", self.model, Unpriced())
        pool = Pool([(Lane("gpu", address=GPU), route)])
        engine = Engine(
            reviews_workload(),
            pools=lambda _: pool,
            allocate=self.allocations,
            searcher=self.searcher,
            llm_limit=self.llm,
            recorder=self.store.ledger,
            run_id=self.run_id,
            algorithm=self.scripts,
        )
        commands = Commands(self.store, self.run_id, self.allocations)
        return RunDriver(self.store, Order(self.run_id, owner, resumed), engine, commands)

    def send(self, action: str, new: str = "") -> int:
        return self.store.controls.send(self.run_id, action, new, who="tester", reason="")

    @property
    def changes(self) -> list[tuple[int, int, str, str, str]]:
        told = self.store.limit_changes.list(self.run_id)
        return [(c.old, c.new, c.endpoint, c.phase, c.who) for c in told]

    def begin(self, *, resumed: bool = False, owner: str = "here:1:a") -> tuple[RunDriver, asyncio.Task[RunView]]:
        self.model.hold = asyncio.Event()
        driver = self.driver(resumed=resumed, owner=owner)
        return driver, asyncio.create_task(driver.drive())

    async def end(self, running: asyncio.Task[RunView]) -> RunView:
        assert self.model.hold is not None
        self.model.hold.set()
        return await running


def test_auto_and_numbers_are_obeyed_within_a_quarter_second_and_are_facts(tmp_path: Path) -> None:
    """auto (claimed) -> 5 -> auto by commands: each at once in the gate, with a row that says who and why."""

    async def scene() -> None:
        desk = Tuned(tmp_path / "b.db")
        driver, running = desk.begin()
        await desk.until(lambda: desk.model.in_flight == 16 and bool(desk.scripts.made))
        desk.send("llm_limit", "24")
        assert await desk.until(lambda: desk.model.in_flight == 24) < 0.25
        desk.send("llm_limit", "auto")
        await desk.until(lambda: len(desk.scripts.made) == 2)
        desk.scripts.made[1].enqueue(30)
        await desk.until(lambda: desk.model.in_flight == 30)
        await desk.until(lambda: desk.store.runs.view("run").llm_limit == 30)
        assert desk.store.runs.view("run").settings["limits"]["llm"]["mode"] == "auto"
        assert (await desk.end(running)).status is RunStatus.FINISHED
        assert desk.changes == [
            (16, 16, "gpu", "start", "auto"),
            (16, 24, "", "fixed", "tester"),
            (24, 24, "gpu", "start", "auto"),
            (24, 30, "gpu", "ramp", "auto"),
        ]
        assert driver.engine.gates["llm"].in_flight == 0
        sample = desk.store.lanes.latest("run")[0]
        assert (sample.endpoint, sample.limit, sample.in_flight, sample.state) == ("gpu", 30, 0, "closed")
        assert sum(s.successes for s in desk.store.lanes.samples("run")) == 160
        desk.store.close()

    asyncio.run(scene())


def test_an_slo_needs_auto_and_bounds_must_make_sense(tmp_path: Path) -> None:
    """Refused with the reason, and nothing changed; with auto both are obeyed and kept for a resume."""

    async def scene() -> None:
        desk = Tuned(tmp_path / "b.db", llm=4)
        _, running = desk.begin()
        await desk.until(lambda: desk.model.in_flight == 4)
        for action, new in (
            ("slo_p95", "2"),
            ("llm_min", "900"),
            ("llm_limit", "auto"),
            ("slo_p95", "2.5"),
            ("llm_max", "9"),
        ):
            desk.send(action, new)
        await desk.until(lambda: all(c.applied_at for c in desk.store.controls.list("run")))
        outcomes = [c.outcome for c in reversed(desk.store.controls.list("run"))]
        assert "needs --llm-limit auto" in outcomes[0]
        assert "floor is 900, above its ceiling of 512" in outcomes[1]
        assert outcomes[2:] == ["applied"] * 3
        kept = desk.store.runs.view("run").settings["limits"]["llm"]
        assert (kept["mode"], kept["slo_p95_s"], kept["ceiling"]) == ("auto", 2.5, 9)
        await desk.end(running)
        desk.store.close()

    asyncio.run(scene())


def test_a_resumed_run_begins_near_its_last_good_limit(tmp_path: Path) -> None:
    """The first session found 33 before an outage took it to 1; the second one begins with 33."""

    async def scene() -> None:
        desk = Tuned(tmp_path / "b.db")
        driver, running = desk.begin()
        await desk.until(lambda: bool(desk.scripts.made))
        desk.scripts.made[0].enqueue(33)
        await desk.until(lambda: desk.model.in_flight == 33)
        driver.engine.abort(RunStatus.INTERRUPTED, "a test")
        assert (await running).status is RunStatus.INTERRUPTED
        again = Tuned(tmp_path / "b.db")
        _, running = again.begin(resumed=True)
        await again.until(lambda: bool(again.scripts.made))
        assert again.scripts.made[0].limit == 33
        assert (await again.end(running)).status is RunStatus.FINISHED
        for store in (desk.store, again.store):
            store.close()

    asyncio.run(scene())


def test_two_runs_do_not_tune_one_server(tmp_path: Path) -> None:
    """The second keeps a fixed limit and says whose server it is; when the first is through, it takes over."""

    async def scene() -> None:
        first, second = Tuned(tmp_path / "b.db"), Tuned(tmp_path / "b.db", run="second")
        _, one = first.begin()
        await first.until(lambda: bool(first.scripts.made))
        _, two = second.begin(owner="here:1:b")
        await second.until(lambda: bool(second.changes))
        assert second.changes == [(16, 16, "gpu", "held", "auto")]
        assert second.scripts.made == []
        assert "Run run tunes http://gpu:8000/v1" in second.store.limit_changes.list("second")[0].reason
        await first.end(one)
        await second.until(lambda: bool(second.scripts.made), 8.0)
        await second.until(lambda: len(second.changes) == 2)
        assert second.changes[1] == (16, 16, "gpu", "start", "auto")
        assert (await second.end(two)).status is RunStatus.FINISHED
        first.store.close()
        second.store.close()

    asyncio.run(scene())


def test_a_limit_beyond_what_the_process_can_hold_is_refused() -> None:
    """No client caps a limit in silence: what the open files do not allow is an error that names the way out."""
    check_room("llm", connection_room())
    with pytest.raises(ConfigError, match=f"llm limit is {connection_room() + 1}.*ulimit -n"):
        check_room("llm", connection_room() + 1)
