"""Controls that say how a stage's calls are made, and why each call of the ledger went to its model."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.allocation import Allocation
from core.base.errors import ConfigError, ServerFaultError, StoreError, UnknownError
from core.base.records import Item, ModelRequest, RunStatus
from core.base.views import AttemptView
from core.base.workload import Stage
from core.pipeline.allocations import Allocations
from core.pipeline.control import parse_allocation
from core.pipeline.driver import RunDriver
from core.pipeline.engine import Engine
from tests.pipeline.test_driver import Desk
from tests.support.fakes import FakeModel, MemoryRecorder, reviews_workload

ASPECT, TOTAL = "aspect_summary", "total_summary"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "b.db")


def calls(desk: Desk, stage: str) -> list[AttemptView]:
    found = [a for n in range(desk.count) for a in desk.store.reports.timeline("run", f"r{n}")]
    return [a for a in found if a.stage == stage]


async def obeyed(desk: Desk) -> None:
    await desk.until(lambda: all(c.applied_at for c in desk.store.controls.list("run")))


def test_every_value_of_a_stage_can_be_said_by_hand(desk: Desk) -> None:
    """Tokens, temperature and fallbacks reach the next calls, the ledger shows them, and a resume finds them."""

    async def scene(driver: RunDriver) -> None:
        desk.send("max_tokens", f"{TOTAL}=77")
        desk.send("temperature", f"{TOTAL}=0.25")
        desk.send("fallback", f"{TOTAL}=spare,other")
        desk.send("max_concurrent", f"{TOTAL}=1")
        await obeyed(desk)
        assert driver.engine.context.stage_gates[TOTAL].limit == 1

    view = desk.play(scene)
    totals = calls(desk, TOTAL)
    assert {(a.max_tokens, a.temperature, a.endpoint, a.why) for a in totals} == {(77, 0.25, "fake", "workload")}
    assert {(a.max_tokens, a.temperature) for a in calls(desk, ASPECT)} == {(80, 0.0)}
    assert view.settings["controls"] == {
        f"{TOTAL}.max_tokens": {"value": "77", "who": "tester"},
        f"{TOTAL}.temperature": {"value": "0.25", "who": "tester"},
        f"{TOTAL}.fallback": {"value": "spare,other", "who": "tester"},
        f"{TOTAL}.max_concurrent": {"value": "1", "who": "tester"},
    }


def test_a_control_is_the_reason_in_the_ledger_and_can_be_taken_back(desk: Desk) -> None:
    """Calls after the switch say whose it was; a control without a value leaves the stage to the weaker layers."""
    desk.llm_limit = 1

    async def scene(driver: RunDriver) -> None:
        desk.send("model", f"{ASPECT}=other")
        desk.send("model", f"{TOTAL}=other")
        desk.send("model", f"{TOTAL}=")
        await obeyed(desk)

    desk.play(scene)
    assert {(a.model, a.why) for a in calls(desk, ASPECT)} == {("fake", "workload"), ("other", "control by tester")}
    assert {(a.model, a.why) for a in calls(desk, TOTAL)} == {("fake", "workload")}


@pytest.mark.parametrize(
    ("action", "value", "says"),
    [
        ("max_tokens", f"{TOTAL}=many", "'many': must be a whole number"),
        ("temperature", f"{TOTAL}=9", "'9': must be a number from 0 to 2"),
        ("max_concurrent", f"{TOTAL}=0", "'0': must be a whole number of 1"),
        ("max_concurrent", "dessert=4", "no model stage 'dessert'"),
        ("fallback", TOTAL, "is not STAGE=VALUE"),
    ],
)
def test_what_cannot_be_is_refused_and_named(desk: Desk, action: str, value: str, says: str) -> None:
    """The row says what was wrong, and nothing has changed."""

    async def scene(driver: RunDriver) -> None:
        desk.send(action, value)
        await obeyed(desk)

    view = desk.play(scene)
    outcome = desk.store.controls.list("run")[0].outcome
    assert outcome.startswith("refused:")
    assert says in outcome
    assert "controls" not in view.settings


def test_a_bad_value_is_named_before_it_is_sent() -> None:
    """The same check for whoever sends the command."""
    with pytest.raises(ConfigError, match="max_tokens of a = '-1'"):
        parse_allocation("max_tokens", "a=-1")
    assert parse_allocation("model", " a = m ") == ("a", "m")


class SlowServers:
    """Prepares models only when told to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.known = {"fake", "other"}

    async def prepare(self, model: str) -> str:
        if model != "fake":
            await self.go_on.wait()
        if model not in self.known:
            msg = f"No endpoint serves model {model!r}."
            raise UnknownError(msg)
        return model


def test_a_server_that_takes_its_time_holds_up_no_other_command(desk: Desk) -> None:
    """While a new model is made ready the old one goes on and limits are obeyed; then it is used, or refused."""

    async def scene(driver: RunDriver) -> None:
        servers = SlowServers()
        desk.allocations._prepare = servers.prepare
        await desk.allocations.make_ready("fake")
        first, second = desk.send("model", f"{ASPECT}=other"), desk.send("model", f"{TOTAL}=nowhere")
        limit = desk.send("llm_limit", "2")
        await desk.until(lambda: driver.engine.gates["llm"].limit == 2)
        await desk.until(lambda: desk.store.controls.list("run")[0].applied_at is not None)
        told = {c.id: c for c in desk.store.controls.list("run")}
        assert told[limit].outcome == "applied"
        assert told[first].applied_at is None
        servers.go_on.set()
        await obeyed(desk)
        told = {c.id: c for c in desk.store.controls.list("run")}
        assert told[first].outcome == "applied"
        assert told[second].outcome == "refused: No endpoint serves model 'nowhere'."

    view = desk.play(scene)
    assert {a.model for a in calls(desk, ASPECT)} == {"fake", "other"}
    assert {a.model for a in calls(desk, TOTAL)} == {"fake"}
    assert view.settings["controls"] == {f"{ASPECT}.model": {"value": "other", "who": "tester"}}


def test_a_store_that_cannot_be_read_pauses_the_run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its commands nobody could steer it: it drains and says why, as itself and not as a group of errors."""

    def broken(*_: object) -> None:
        msg = "the disk is gone"
        raise StoreError(msg)

    async def scene(driver: RunDriver) -> None:
        monkeypatch.setattr(desk.store.controls, "pending", broken)
        await desk.until(lambda: driver.engine.halted is not None)
        monkeypatch.undo()

    view = desk.play(scene)
    assert (view.status, view.reason) == (RunStatus.PAUSED, "the disk is gone")


def test_a_fallback_says_what_made_it_one() -> None:
    """Its attempt in the ledger names its place in the chain and the failure before it."""

    def answer(request: ModelRequest) -> str:
        if request.model == "big":
            raise ServerFaultError("the server is overloaded", status=503)
        return "Good [1]."

    recorder = MemoryRecorder()

    async def main() -> None:
        engine = Engine(
            replace(reviews_workload(), stages=(Stage(TOTAL, "llm", prompt="total", skip_empty=False, attempts=1),)),
            model=FakeModel(answer),
            recorder=recorder,
            allocate=lambda stage: Allocation("big", 50, 0.0, ("small",), sources={"model": "environment X_MODEL"}),
        )
        async with engine:
            async for _ in engine.run([Item("r1", "One")]):
                pass

    asyncio.run(main())
    assert [(a.model, a.why) for a in recorder.begun] == [
        ("big", "environment X_MODEL"),
        ("small", "fallback 1 after: 503 the server is overloaded"),
    ]


def test_allocations_of_a_run_hold_still_where_nobody_prepares() -> None:
    """A library user's allocations need no servers."""
    allocations = Allocations(lambda stage: Allocation("m", stage.max_tokens))
    assert allocations.missing() == ()
    asyncio.run(allocations.make_ready("m"))
