"""A run in a real database: commands, gauges, leases, endings and resuming."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core.base.allocation import Allocation
from core.base.errors import RejectedError, RunError
from core.base.records import Evidence, Item, ItemStatus, ModelRequest, Query, RunStatus
from core.base.views import RunView
from core.base.workload import Stage
from core.pipeline.allocations import Allocations
from core.pipeline.control import Commands
from core.pipeline.driver import Order, RunDriver
from core.pipeline.engine import Engine
from core.pipeline.routes import Route, Unpriced
from core.store import Store
from core.store.connection import Readers
from core.store.writer import Writer
from tests.support.fakes import FakeModel, FakeSearcher, reviews_workload


def plain(stage: Stage) -> Allocation:
    return Allocation("fake", stage.max_tokens, stage.temperature)


@dataclass
class Desk:
    """A store with one run over so many restaurants, and what drives it."""

    path: Path
    count: int = 6
    model: FakeModel = field(default_factory=FakeModel)
    searcher: FakeSearcher = field(default_factory=FakeSearcher)
    llm_limit: int = 4

    def __post_init__(self) -> None:
        self.store = Store.open(self.path)
        ids = [f"r{n}" for n in range(self.count)]
        self.store.catalogue.put_items([Item(i, f"Restaurant {i}") for i in ids])
        if not self.store.runs.list():
            self.store.runs.create("run", "reviews", "restaurant", ids, {}, None, "test")
        self.allocations = Allocations(plain)

    def driver(self, *, resumed: bool = False, owner: str = "here:1:a") -> RunDriver:
        engine = Engine(
            reviews_workload(),
            route=lambda name: Route("fake", name, self.model, Unpriced()),
            allocate=self.allocations,
            searcher=self.searcher,
            llm_limit=self.llm_limit,
            recorder=self.store.ledger,
            run_id="run",
        )
        return RunDriver(
            self.store, Order("run", owner, resumed), engine, Commands(self.store, "run", self.allocations)
        )

    def send(self, action: str, new: str = "") -> int:
        return self.store.controls.send("run", action, new, who="tester", reason="because")

    async def until(self, true: Callable[[], bool], seconds: float = 5.0) -> float:
        """Wait until something is true; how long it took."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < seconds, "it never came true"
            await asyncio.sleep(0.005)
        return time.monotonic() - began

    def play(self, scene: Callable[[RunDriver], Awaitable[None]], *, resumed: bool = False) -> RunView:
        """Drive the run while a scene plays beside it."""

        async def main() -> RunView:
            self.model.hold = self.model.hold or asyncio.Event()
            driver = self.driver(resumed=resumed)
            running = asyncio.create_task(driver.drive())
            await self.until(lambda: self.model.in_flight == self.llm_limit)
            await scene(driver)
            self.model.hold.set()
            return await running

        return asyncio.run(main())

    def drive(self, *, resumed: bool = False) -> RunView:
        self.model.hold = None
        return asyncio.run(self.driver(resumed=resumed).drive())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "b.db")


def reconciles(view: RunView) -> bool:
    return view.selected == view.done + view.failed + view.refused + view.no_reviews + view.pending


def test_a_run_finishes_with_counters_that_reconcile(desk: Desk) -> None:
    """Six restaurants: six done, 24 model calls and 6 x 3 searches in the ledger, a first result before the median."""
    view = desk.drive()
    assert (view.status, view.done, view.pending) == (RunStatus.FINISHED, 6, 0)
    assert reconciles(view)
    counted = desk.store.reports.measures("run")
    assert counted["calls"] == {"search": 18, "llm": 24}
    assert 0 < counted["first_result_s"] <= counted["median_result_s"]
    assert view.measures["limit"] == {"search": 8, "llm": 4}


@pytest.mark.parametrize(("action", "resource", "new"), [("llm_limit", "llm", 9), ("search_limit", "search", 3)])
def test_a_limit_is_obeyed_within_a_quarter_second(desk: Desk, action: str, resource: str, new: int) -> None:
    """A row in `controls` changes the gate of the running engine, and the run's row says so."""

    async def scene(driver: RunDriver) -> None:
        desk.send(action, str(new))
        took = await desk.until(lambda: driver.engine.gates[resource].limit == new)
        assert took < 0.25
        await desk.until(lambda: getattr(desk.store.runs.view("run"), action) == new)

    assert desk.play(scene).status is RunStatus.FINISHED
    control = desk.store.controls.list("run")[0]
    assert control.outcome == "applied"
    assert control.applied_at is not None
    assert control.applied_at - control.at < 0.25


def test_a_bad_command_is_refused_with_its_value_and_changes_nothing(desk: Desk) -> None:
    """A limit of zero and an unknown stage come back as refusals; the run goes on as it was."""

    async def scene(driver: RunDriver) -> None:
        desk.send("llm_limit", "0")
        desk.send("model", "dessert=big")
        await desk.until(lambda: all(c.applied_at for c in desk.store.controls.list("run")))
        assert driver.engine.gates["llm"].limit == 4

    desk.play(scene)
    outcomes = [c.outcome for c in desk.store.controls.list("run")]
    assert all(o.startswith("refused:") for o in outcomes)
    assert any("0" in o for o in outcomes)
    assert any("dessert" in o for o in outcomes)


def test_pause_and_resume_are_statuses_that_every_screen_sees(desk: Desk) -> None:
    """Paused, nothing new is sent and the run's row says who paused it; resumed, it finishes."""

    async def scene(driver: RunDriver) -> None:
        desk.send("pause")
        await desk.until(lambda: desk.store.runs.view("run").status is RunStatus.PAUSED)
        sent = len(desk.model.requests)
        assert desk.model.hold is not None
        desk.model.hold.set()
        await desk.until(lambda: desk.model.in_flight == 0)
        await asyncio.sleep(0.05)
        assert len(desk.model.requests) == sent
        assert "because" in desk.store.runs.view("run").reason
        desk.send("resume")
        await desk.until(lambda: desk.store.runs.view("run").status is not RunStatus.PAUSED)

    view = desk.play(scene)
    assert (view.status, view.reason, view.done) == (RunStatus.FINISHED, "", 6)


def test_cancel_ends_the_run_at_once_and_keeps_what_is_done(desk: Desk) -> None:
    """Calls in flight are settled as cancelled; the items stay pending; nothing is left open in the ledger."""

    async def scene(driver: RunDriver) -> None:
        desk.send("cancel")
        await desk.until(lambda: driver.engine.halted is not None)

    view = desk.play(scene)
    assert view.status is RunStatus.CANCELLED
    assert reconciles(view)
    ended = desk.store.reports.attempts("run")
    assert [a.state for a in ended if a.resource == "llm"] == ["cancelled"] * 4
    assert "started" not in {a.state for a in ended}


def test_a_model_change_reaches_the_next_call(desk: Desk) -> None:
    """After `model total_summary=other` the totals are asked of the other model, the aspects as before."""

    async def scene(driver: RunDriver) -> None:
        desk.send("model", "total_summary=other")
        await desk.until(lambda: all(c.applied_at for c in desk.store.controls.list("run")))

    desk.play(scene)
    used = {(s.stage, s.model) for s in desk.store.reports.stages("run") if s.resource == "llm"}
    assert used == {("aspect_summary", "fake"), ("total_summary", "other")}


def test_a_second_owner_is_refused_while_the_first_lives(desk: Desk) -> None:
    """Two launches of one run: the second gets an error that names the owner, and the first is not touched."""

    async def scene(_: RunDriver) -> None:
        with pytest.raises(RunError, match="here"):
            await desk.driver(owner="there:2:b").drive()

    assert desk.play(scene).status is RunStatus.FINISHED


def test_a_paused_run_is_resumed_and_nothing_is_done_twice(desk: Desk) -> None:
    """A rejected key pauses the run in the middle; resumed it finishes with one result per node."""
    desk.llm_limit = 1
    desk.model.enqueue(*["Good [1]."] * 7, RejectedError("401: wrong key", status=401))
    view = desk.drive()
    assert (view.status, view.pending > 0) == (RunStatus.PAUSED, True)
    assert "wrong key" in view.reason
    view = desk.drive(resumed=True)
    assert (view.status, view.done) == (RunStatus.FINISHED, 6)
    assert len(desk.model.requests) == 25
    assert len(desk.searcher.asked) == 6
    results = desk.store.reports.results("run", limit=1000)
    keys = [(r.item_id, r.stage, r.part) for r in results]
    assert len(keys) == len(set(keys)) == 6 * 7


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    """Under a deterministic model the texts are the same, however often the run was stopped in between."""

    def answer(request: ModelRequest) -> str:
        return f"{len(request.messages[-1].content)} letters [1]."

    straight, broken = Desk(tmp_path / "a.db"), Desk(tmp_path / "b.db")
    straight.model.default = broken.model.default = answer
    straight.drive()
    broken.llm_limit = 1
    for _ in range(4):
        broken.model.enqueue(*[answer] * 3, RejectedError("no", status=403))
        broken.drive(resumed=True)
    broken.drive(resumed=True)

    def texts(desk: Desk) -> dict[tuple[str, str, str], str]:
        return {(r.item_id, r.stage, r.part): r.text for r in desk.store.reports.results("run", limit=1000)}

    assert texts(straight) == texts(broken)
    assert reconciles(broken.store.runs.view("run"))


def test_a_crash_is_a_status_with_its_reason(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the machinery itself marks the run crashed and gives the lease back."""

    def broken(*_: object) -> None:
        raise RuntimeError("the wheel came off")

    monkeypatch.setattr(desk.store.runs, "pending_page", broken)
    view = desk.drive()
    assert (view.status, view.owner_alive) == (RunStatus.CRASHED, False)
    assert "the wheel came off" in view.reason


def test_failed_items_are_tried_again_on_request(desk: Desk) -> None:
    """After requeueing, a failed restaurant is done with only its missing calls."""

    def answer(request: ModelRequest) -> str:
        if "All of Restaurant r3" in request.messages[-1].content and not fixed:
            raise ValueError("not yet")
        return "Good [1]."

    fixed: list[bool] = []
    desk.model.default = answer
    assert desk.drive().failed == 1
    before = len(desk.model.requests)
    fixed.append(True)
    assert desk.store.runs.requeue("run", [ItemStatus.FAILED]) == 1
    view = desk.drive(resumed=True)
    assert (view.done, view.failed) == (6, 0)
    assert len(desk.model.requests) - before == 1


class BlockingSearcher(FakeSearcher):
    """A backend that blocks its thread, as the embedded engine does, until the loop has gone on ten times meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = 0
        self.stuck = 0

    async def search(self, item_id: str, queries: list[Query]) -> list[list[Evidence]]:  # type: ignore[override]
        await asyncio.to_thread(self._block, self.turns + 10)
        return [self._rows(item_id, q) for q in queries]

    def _block(self, until: int) -> None:
        given_up = time.monotonic() + 20
        while self.turns < until and time.monotonic() < given_up:
            time.sleep(0.001)
        self.stuck += self.turns < until

    async def count_turns(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.turns += 1


def test_a_blocking_backend_does_not_stop_the_loop(desk: Desk) -> None:
    """While searches block their threads the loop goes on: each ends only because it does."""
    searcher = desk.searcher = BlockingSearcher()

    async def main() -> RunView:
        turning = asyncio.create_task(searcher.count_turns())
        ended = await desk.driver().drive()
        turning.cancel()
        return ended

    desk.model.hold = None
    assert asyncio.run(main()).done == 6
    assert searcher.stuck == 0


def test_the_loop_never_waits_for_the_database(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the lease to the last status no read and no blocking write happens on the loop's own thread."""
    threads: list[int] = []

    def seen(name: str, owner: type) -> None:
        real = getattr(owner, name)

        def watched(*args: Any, **more: Any) -> Any:
            threads.append(threading.get_ident())
            return real(*args, **more)

        monkeypatch.setattr(owner, name, watched)

    seen("borrow", Readers)
    seen("write_now", Writer)
    desk.drive()
    assert len(threads) > 10
    assert threading.get_ident() not in threads


def test_a_model_change_reaches_calls_that_wait_at_the_gate(desk: Desk) -> None:
    """With one permit and everything queued, the switch is used by every call sent after it."""
    desk.llm_limit = 1

    async def scene(driver: RunDriver) -> None:
        await desk.until(lambda: driver.engine.gates["llm"].waiting >= 15)
        desk.send("model", "aspect_summary=other")
        await desk.until(lambda: all(c.applied_at for c in desk.store.controls.list("run")))

    desk.play(scene)
    used = {(s.stage, s.model): s.calls for s in desk.store.reports.stages("run") if s.resource == "llm"}
    assert used[("aspect_summary", "fake")] == 1
    assert used[("aspect_summary", "other")] == 17


def test_a_model_change_outlives_the_session(desk: Desk) -> None:
    """The run's settings hold the model it was switched to, for whoever resumes it."""

    async def scene(driver: RunDriver) -> None:
        desk.send("model", "total_summary=other")
        await desk.until(lambda: all(c.applied_at for c in desk.store.controls.list("run")))

    assert desk.play(scene).settings["controls"] == {"total_summary.model": {"value": "other", "who": "tester"}}
