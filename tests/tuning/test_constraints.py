"""What a run waits for, looked at from outside: the cause is named, never the gate that only looks full."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from core.base.allocation import Allocation
from core.base.records import Item
from core.base.workload import Stage
from core.flow import Rates
from core.pipeline.constraints import Constraints
from core.pipeline.engine import Engine
from core.pipeline.pool import Lane, Pool
from core.pipeline.routes import Route, Unpriced
from core.store.ledger import Commits
from tests.support.clock import FakeClock, settle
from tests.support.fakes import FakeModel, FakeSearcher, reviews_workload


class Kitchen:
    """An engine in the middle of twenty restaurants whose model calls do not end, and its watch."""

    def __init__(
        self, *, lane: dict[str, Any] | None = None, cap: int | None = None, llm: int = 2, **over: Any
    ) -> None:
        self.clock, self.model, self.searcher = FakeClock(), FakeModel(), FakeSearcher()
        self.lane = Lane("gpu", clock=self.clock, **(lane or {}))
        pool = Pool([(self.lane, Route("gpu", "small", self.model, Unpriced()))], clock=self.clock)
        self.engine = Engine(
            reviews_workload(),
            pools=lambda _: pool,
            allocate=lambda stage: Allocation("small", stage.max_tokens, max_concurrent=cap if _total(stage) else None),
            searcher=self.searcher,
            llm_limit=llm,
            clock=self.clock,
            **over,
        )
        self.commits = Commits()
        self.cpu = 0.0
        self.watch = Constraints(self.engine, self.commits, lambda: self.cpu)

    async def busy(self, look: Callable[[], Awaitable[None]]) -> None:
        """Run until everything waits, look, and stop."""
        self.model.hold = self.model.hold or asyncio.Event()

        async def collect() -> None:
            async with self.engine:
                async for _ in self.engine.run([Item(f"r{n}", f"Place {n}") for n in range(20)]):
                    pass

        running = asyncio.create_task(collect())
        await settle(400)
        try:
            await look()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def why(self) -> str:
        """Its answer while it is busy."""
        answers: list[str] = []

        async def look() -> None:
            answers.append(":".join(self.watch.why() or ("",)).rstrip(":"))

        asyncio.run(self.busy(look))
        return answers[0]


def _total(stage: Stage) -> bool:
    return stage.id == "total_summary"


def test_a_full_model_gate_is_the_model_gate() -> None:
    """Two permits, calls waiting, an idle server: more permits would let more calls go."""
    assert Kitchen().why() == "llm"


def test_seats_of_the_endpoint_come_before_the_gate() -> None:
    """A server that takes one call makes sixteen permits useless."""
    assert Kitchen(llm=16, lane={"limit": 1}).why() == "endpoint:gpu"


def test_a_quota_is_told_from_a_full_gate() -> None:
    """One request a minute: the calls wait for the quota without a permit."""
    kitchen = Kitchen(llm=16)
    kitchen.lane.rates = Rates(rpm=1, clock=kitchen.clock)
    assert kitchen.why() == "rate:gpu"


def test_a_stages_own_most_is_named_with_the_stage() -> None:
    """Aspects get through, totals wait for the one place that their stage has."""
    kitchen = Kitchen(llm=200, cap=1)

    async def main() -> list[object]:
        kitchen.model.hold = asyncio.Event()
        kitchen.model.hold.set()
        answers: list[object] = []

        async def look() -> None:
            answers.append(kitchen.watch.why())

        hold_total(kitchen.model)
        await kitchen.busy(look)
        return answers

    assert asyncio.run(main()) == [("stage", "total_summary")]


def hold_total(model: FakeModel) -> None:
    """From now on total summaries do not end."""
    complete, never = model.complete, asyncio.Event()

    async def slow(request: Any) -> Any:
        if "All of" in request.messages[-1].content:
            await never.wait()
        return await complete(request)

    model.complete = slow  # type: ignore[method-assign]


def test_a_search_holds_the_run_back_only_while_no_model_call_waits() -> None:
    """One search at a time that hangs, and an idle model gate: the search gate it is."""
    kitchen = Kitchen(llm=200, search_limit=1)
    kitchen.searcher.hold = {f"r{n}": asyncio.Event() for n in range(1, 20)}
    assert kitchen.why() == "search"


def test_a_busy_loop_is_the_cause_of_all_that_looks_full() -> None:
    """Where the loop's thread used 0.95 s of the last second, no gate is blamed."""
    kitchen = Kitchen()

    async def look() -> None:
        kitchen.clock.now += 1.0
        kitchen.cpu += 0.95
        kitchen.watch.look()
        assert kitchen.watch.why() == ("cpu", "")

    asyncio.run(kitchen.busy(look))


def test_calls_that_wait_to_be_recorded_wait_for_the_disk() -> None:
    """Both permits are held by calls whose attempt is not committed yet: the gate is full because of the disk."""
    kitchen = Kitchen()
    kitchen.commits.waiting = 2
    assert kitchen.why() == "disk"


def test_shares_add_up_and_a_pause_is_not_watched() -> None:
    """Ten looks a tenth of a second apart are a second of the model gate; what a pause lasts counts nowhere."""
    kitchen = Kitchen()

    async def look() -> None:
        for _ in range(10):
            kitchen.clock.now += 0.1
            kitchen.watch.look()
        kitchen.engine.pause()
        kitchen.clock.now += 50.0
        kitchen.watch.look()
        taken = {(w.resource, w.name): w.seconds for w in kitchen.watch.take()}
        assert taken == {("", ""): pytest.approx(1.0), ("llm", ""): pytest.approx(1.0)}
        assert kitchen.watch.take() == []

    asyncio.run(kitchen.busy(look))
