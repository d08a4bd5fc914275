"""Limits that are found while a run goes on: who is asked, what is told, and what comes into force."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.base.errors import ConfigError, RateLimitedError, SearchUnavailableError, UnreachableError
from core.base.records import Outcome
from core.flow import BreakerState
from core.pipeline.controller import Moved
from core.pipeline.engine import Engine
from core.pipeline.pool import Lane, Pool
from core.pipeline.routes import Route, Unpriced
from core.pipeline.sizing import Sizing
from tests.pipeline.test_engine import assert_nothing_left, collect, items
from tests.support.clock import FakeClock, settle
from tests.support.fakes import FakeModel, FakeSearcher, MemoryRecorder, reviews_workload
from tests.support.scripted_limit import ScriptedLimit, Scripts


class Stage:
    """An engine over a pool of endpoints whose calls are held until a test lets them go."""

    def __init__(self, *limits: int | None, llm: Any = "auto", search: Any = 8, address: str = "") -> None:
        self.clock = FakeClock()
        self.models = [FakeModel("Good [1].") for _ in limits]
        self.lanes = [Lane(f"gpu{n}", limit=limit, clock=self.clock, address=address) for n, limit in enumerate(limits)]
        routes = [Route(lane.name, "m", model, Unpriced()) for lane, model in zip(self.lanes, self.models, strict=True)]
        self.pool = Pool(list(zip(self.lanes, routes, strict=True)), clock=self.clock)
        self.scripts = Scripts()
        self.moves: list[Moved] = []
        self.recorder = MemoryRecorder()
        self.searcher = FakeSearcher()
        self.engine = Engine(
            reviews_workload(),
            pools=lambda _: self.pool,
            searcher=self.searcher,
            recorder=self.recorder,
            clock=self.clock,
            llm_limit=llm,
            search_limit=search,
            algorithm=self.scripts,
        )
        self.engine.tuner.tell = self.moves.append
        for model in self.models:
            model.hold = asyncio.Event()

    @property
    def limits(self) -> list[ScriptedLimit]:
        return self.scripts.of("llm")

    @property
    def in_flight(self) -> list[int]:
        return [model.in_flight for model in self.models]

    @property
    def gate(self) -> int:
        return self.engine.gates["llm"].limit

    async def begin(self, count: int = 60) -> None:
        self.running = asyncio.create_task(collect(self.engine, items(count)))
        await self.settled()

    async def settled(self, seconds: float = 0.0) -> None:
        for _ in range(10):
            await settle()
        if seconds:
            await self.clock.advance(seconds)
            for _ in range(10):
                await settle()

    async def drained(self, number: int) -> None:
        """Let go of what an endpoint holds; later calls stay."""
        model = self.models[number]
        held, model.hold = model.hold, asyncio.Event()
        assert held is not None
        held.set()
        await self.settled()

    async def end(self) -> int:
        """Let everything go; how many results there were. Nothing may be left."""
        for model in self.models:
            assert model.hold is not None
            model.hold.set()
        for _ in range(400):
            if self.running.done():
                break
            await self.clock.advance(1.0)
        results = await asyncio.wait_for(self.running, 5)
        self.nothing_left()
        return len(results)

    def nothing_left(self) -> None:
        assert_nothing_left(self.engine, self.recorder)
        assert [lane.in_flight for lane in self.lanes] == [0] * len(self.lanes)
        assert self.pool.places.in_flight == 0
        assert {gate.in_flight for gate in self.engine.context.stage_gates.values()} == {0}


def play(scene: Any) -> None:
    asyncio.run(scene())


def test_auto_begins_at_sixteen_and_follows_its_algorithm_at_once() -> None:
    """One endpoint: sixteen calls, then what the algorithm says at its next tick, in the gate and in flight."""

    async def scene() -> None:
        stage = Stage(None)
        await stage.begin()
        assert (stage.in_flight, stage.gate) == ([16], 16)
        stage.limits[0].enqueue(40)
        await stage.settled(1.0)
        assert (stage.in_flight, stage.gate) == ([40], 40)
        assert [(m.endpoint, m.change.old, m.change.new, m.change.phase) for m in stage.moves] == [
            ("gpu0", 16, 16, "start"),
            ("gpu0", 16, 40, "ramp"),
        ]
        assert stage.moves[1].change.reason == "tick said so."
        assert {m.who for m in stage.moves} == {"auto"}
        assert await stage.end() == 60

    play(scene)


def test_each_endpoint_has_a_limit_of_its_own() -> None:
    """Three endpoints, three algorithms: what one finds leaves the others alone, and the gate has the sum.

    What is in flight beyond a lowered limit drains without taking the others' places.
    """

    async def scene() -> None:
        stage = Stage(None, None, 10)
        await stage.begin(100)
        assert stage.in_flight == [16, 16, 10]
        for limit, found in zip(stage.limits, (4, 32, 8), strict=True):
            limit.enqueue(found)
        await stage.settled(1.0)
        assert [lane.limit for lane in stage.lanes] == [4, 32, 8]
        assert (stage.gate, stage.in_flight) == (58, [16, 32, 10])
        await stage.drained(0)
        assert (stage.gate, stage.in_flight) == (46, [4, 32, 10])
        assert await stage.end() == 100
        assert [limit.sizing.ceiling for limit in stage.limits] == [512, 512, 10]

    play(scene)


def test_a_number_by_hand_and_back_to_auto_go_on_from_where_they_are() -> None:
    """auto -> 5 -> auto: the number holds at once, whatever the algorithm wants; then auto begins with five."""

    async def scene() -> None:
        stage = Stage(None, None)
        await stage.begin(100)
        stage.limits[0].enqueue(8)
        stage.limits[1].enqueue(24)
        await stage.settled(1.0)
        stage.engine.resize("llm", 64, who="ann", reason="a try")
        await stage.settled()
        assert (stage.gate, sum(stage.in_flight)) == (64, 64)
        stage.limits[0].enqueue(2)
        await stage.settled(1.0)
        assert stage.gate == 64
        stage.engine.resize("llm", "auto", who="ann")
        assert [limit.limit for limit in stage.limits[2:]] == [16, 48]  # in the proportions found before
        held = stage.in_flight
        assert stage.gate == max(16, held[0]) + max(48, held[1])
        told = [(m.endpoint, m.change.old, m.change.new, m.change.phase, m.who) for m in stage.moves[-3:]]
        assert told == [
            ("", 32, 64, "fixed", "ann"),
            ("gpu0", 16, 16, "start", "ann"),
            ("gpu1", 48, 48, "start", "ann"),
        ]
        assert stage.engine.tuner.modes == {"search": "fixed", "llm": "auto"}
        assert await stage.end() == 100

    play(scene)


def test_fixed_runs_ask_no_algorithm() -> None:
    """A run with numbers makes none; switching to auto in mid-run makes one per endpoint in use."""

    async def scene() -> None:
        stage = Stage(None, llm=6)
        await stage.begin()
        assert (stage.scripts.made, stage.in_flight) == ([], [6])
        stage.engine.resize("llm", "auto")
        assert [limit.limit for limit in stage.limits] == [6]
        stage.engine.resize("search", "auto")
        assert [limit.limit for limit in stage.scripts.of("search")] == [8]
        assert await stage.end() == 60

    play(scene)


def test_the_operators_bounds_hold_for_each_endpoint_and_the_ceiling_for_all() -> None:
    """Floor 2 and ceiling 20: each algorithm gets them, the gate never passes the ceiling, and both may change."""

    async def scene() -> None:
        stage = Stage(None, None, llm=Sizing("llm", "auto", 2, 20))
        await stage.begin(100)
        assert (stage.gate, sum(stage.in_flight)) == (20, 20)
        stage.engine.tuner.bound("llm", who="ann", ceiling=30)
        await stage.settled()
        assert (stage.gate, [limit.facts("bound") for limit in stage.limits]) == (30, [[("bound", 2, 30)]] * 2)
        with pytest.raises(ConfigError, match="floor is 31, above its ceiling of 30"):
            stage.engine.tuner.bound("llm", who="ann", floor=31)
        assert await stage.end() == 100

    play(scene)


def test_the_workloads_own_most_holds_in_auto_too() -> None:
    """A workload that allows five calls gets five, whatever is found; lifted, the algorithm's limit holds."""

    async def scene() -> None:
        stage = Stage(None)
        stage.engine.cap(5)
        await stage.begin()
        assert stage.in_flight == [5]
        await stage.settled(1.0)
        assert stage.limits[0].facts("tick")[-1] == ("tick", 5, 0)  # nobody waits for the endpoint's own places
        stage.engine.cap(None)
        await stage.settled()
        assert stage.in_flight == [16]
        assert await stage.end() == 60

    play(scene)


def test_an_algorithm_is_told_what_was_sent_and_how_it_ended() -> None:
    """Latency counts from sending, in flight counts the call itself, tokens come from the usage."""

    async def scene() -> None:
        stage = Stage(2)
        await stage.begin(4)
        sent_at = stage.clock.now
        assert stage.limits[0].facts("started") == [("started", sent_at, 1), ("started", sent_at, 2)]
        await stage.clock.advance(0.75)
        assert await stage.end() == 4
        first, second = stage.limits[0].samples[:2]
        assert (first.outcome, first.started_at, first.latency_s) == (Outcome.SUCCESS, sent_at, 0.75)
        assert (first.in_flight, second.in_flight) == (1, 2)
        assert (first.input_tokens, first.output_tokens, first.busy) == (100, 20, False)
        assert len(stage.limits[0].samples) == len(stage.limits[0].facts("started")) == 16

    play(scene)


def busy() -> RateLimitedError:
    error = RateLimitedError("Too many requests are waiting.")
    error.busy = True
    return error


def test_rejections_for_the_crowd_go_to_the_algorithm_and_not_to_the_pace() -> None:
    """Busy 429s are overload that says so and leave the rate alone; those of a quota are paced, and say nothing."""

    async def scene() -> None:
        stage = Stage(16)
        stage.models[0].enqueue(*[busy() for _ in range(12)], *[RateLimitedError("quota", retry_after=5.0)] * 2)
        await stage.begin(8)
        stage.models[0].hold.set()  # type: ignore[union-attr]
        await stage.settled()
        told = [(s.outcome, s.busy) for s in stage.limits[0].samples if s.outcome is not Outcome.SUCCESS]
        assert told.count((Outcome.OVERLOAD, True)) == 12
        assert stage.lanes[0].rates.pace is None
        assert stage.lanes[0].crowding.room is None
        assert await stage.end() == 8
        assert stage.lanes[0].rejections == 14

    play(scene)


def test_waiting_for_a_quota_is_not_waiting_for_the_endpoint() -> None:
    """While a quota lets few calls pass, a tick says that nobody waits; when places are full, that somebody does."""

    async def scene() -> None:
        stage = Stage(None, llm=Sizing("llm", "auto", 1, 4))
        await stage.begin(30)
        await stage.settled(1.0)
        told = stage.limits[0].facts("tick")[-1]
        assert (told[1], int(str(told[2])) > 10) == (4, True)
        stage.lanes[0].rates.retune(60, None)
        stage.models[0].hold.set()  # type: ignore[union-attr]
        await stage.settled(5.0)
        assert stage.limits[0].facts("tick")[-1][2] == 0
        stage.lanes[0].rates.retune(None, None)
        assert await stage.end() == 30

    play(scene)


def test_an_outage_is_told_once_and_its_end_too() -> None:
    """The breaker opens: down, once; its probe comes back: up, once; between them nothing of the kind."""

    async def scene() -> None:
        stage = Stage(None)
        dies, returns = stage.clock.now + 1.0, stage.clock.now + 12.0

        def answer(_: object) -> str:
            if dies <= stage.clock.now < returns:
                raise UnreachableError("connection refused")
            return "Good [1]."

        stage.models[0].default = answer
        await stage.begin(20)
        await stage.settled(2.0)
        assert await stage.end() == 20
        told = [fact[0] for fact in stage.limits[0].told if fact[0] in ("down", "up")]
        assert told == ["down", "up"]
        assert stage.lanes[0].breaker.state is BreakerState.CLOSED

    play(scene)


def test_searches_have_an_algorithm_of_their_own() -> None:
    """A search that took too long is overload of the crowd, one that failed is overload, and each is told of."""

    async def scene() -> None:
        stage = Stage(None, llm=8, search="auto")
        late = SearchUnavailableError("took longer than 10 s")
        late.__cause__ = TimeoutError()
        stage.searcher.enqueue(late, SearchUnavailableError("the server answered 503"))
        await stage.begin(10)
        (limit,) = stage.scripts.of("search")
        limit.enqueue(3)
        await stage.settled(1.0)
        assert await stage.end() == 10
        assert stage.engine.gates["search"].limit == 3
        failed = [(s.outcome, s.busy) for s in limit.samples if s.outcome is not Outcome.SUCCESS]
        assert failed == [(Outcome.OVERLOAD, True), (Outcome.OVERLOAD, False)]
        assert len(limit.samples) == len(limit.facts("started")) == 12
        assert [(m.resource, m.endpoint, m.change.new) for m in stage.moves] == [("search", "", 8), ("search", "", 3)]

    play(scene)


def test_a_run_resumed_begins_near_the_last_good_limits() -> None:
    """What was good in an earlier session is where each endpoint begins, a new one where auto begins."""

    async def scene() -> None:
        stage = Stage(None, None, search="auto")
        stage.engine.tuner.remember({("llm", "gpu0"): 40, ("search", ""): 3, ("llm", "gone"): 9})
        await stage.begin(100)
        assert ([limit.limit for limit in stage.limits], stage.gate) == ([40, 16], 56)
        assert [limit.limit for limit in stage.scripts.of("search")] == [3]
        assert "last good" in next(m.change.reason for m in stage.moves if m.endpoint == "gpu0")
        assert await stage.end() == 100

    play(scene)


def test_an_endpoint_that_another_run_tunes_keeps_its_limit_until_that_ends() -> None:
    """Held: no algorithm, the limit stays and the operator is told by whom; then this run takes over from there."""

    async def scene() -> None:
        stage = Stage(None, address="http://gpu/v1")
        stage.engine.tuner.llm.claiming = True
        await stage.begin()
        assert (stage.limits, stage.in_flight) == ([], [16])
        stage.engine.tuner.llm.claimed(stage.lanes[0], "run-other")
        assert stage.limits == []
        assert [(m.change.phase, "Run run-other tunes http://gpu/v1" in m.change.reason) for m in stage.moves] == [
            ("held", True)
        ]
        stage.engine.tuner.llm.claimed(stage.lanes[0], "run-other")
        assert len(stage.moves) == 1
        stage.engine.tuner.llm.claimed(stage.lanes[0], "")
        assert [limit.limit for limit in stage.limits] == [16]
        stage.limits[0].enqueue(20)
        await stage.settled(1.0)
        assert stage.in_flight == [20]
        assert await stage.end() == 60

    play(scene)


def test_an_endpoint_that_joins_or_leaves_in_mid_run_is_followed() -> None:
    """A newcomer gets an algorithm, one that was removed drains and no longer counts in the gate."""

    async def scene() -> None:
        stage = Stage(None)
        await stage.begin(100)
        model = FakeModel("Good [1].")
        model.hold = asyncio.Event()
        lane = Lane("late", clock=stage.clock)
        stage.pool.add(lane, Route("late", "m", model, Unpriced()))
        stage.models.append(model)
        stage.lanes.append(lane)
        await stage.settled(1.0)
        assert (stage.gate, stage.in_flight) == (32, [16, 16])
        stage.pool.drop(lane)
        await stage.settled(1.0)
        assert (stage.gate, stage.in_flight) == (32, [16, 16])
        states = {s.endpoint: s.state for s in stage.engine.tuner.llm.samples(1.0)}
        assert states == {"gpu0": "closed", "late": "draining"}
        await stage.drained(1)
        assert (stage.gate, stage.in_flight) == (16, [16, 0])
        assert await stage.end() == 100

    play(scene)


def test_a_window_that_shrinks_keeps_enough_workers() -> None:
    """Limits that fall while nothing is in flight send workers away, never all of them: every item is done."""

    async def scene() -> None:
        stage = Stage(None, search="auto")
        stage.engine.tuner.remember({("search", ""): 1})  # 48 workers at the start, 34 a moment later
        await stage.begin(60)
        stage.limits[0].enqueue(1, 1, 1)
        await stage.settled(2.0)
        assert await stage.end() == 60

    play(scene)


def test_a_storm_of_cancellations_leaves_no_permit_behind() -> None:
    """Limits that jump while a run is cut off: every permit comes back, whatever was held, waited for or sent."""

    async def scene() -> None:
        stage = Stage(None, 6, None, search="auto")
        await stage.begin(200)
        for limit in (*stage.limits, *stage.scripts.of("search")):
            limit.enqueue(1, 30, 2, 50)
        for _ in range(3):
            await stage.settled(1.0)
            stage.engine.resize("llm", 3)
            stage.engine.resize("llm", "auto")
        stage.running.cancel()
        await asyncio.gather(stage.running, return_exceptions=True)
        await settle()
        stage.nothing_left()
        assert not [task for task in asyncio.all_tasks() if "tuning" in task.get_name()]

    play(scene)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"limit": 0}, "llm limit is 0"),
        ({"limit": "most"}, "llm limit is 'most'"),
        ({"limit": "auto", "floor": 9, "ceiling": 8}, "floor is 9, above its ceiling of 8"),
        ({"limit": 8, "slo_p95_s": 2.0}, "An SLO of 2 s needs --llm-limit auto"),
        ({"limit": "auto", "slo_p95_s": 0.0}, "The SLO is 0.0 s"),
    ],
    ids=str,
)
def test_what_no_run_can_have_is_refused(given: dict[str, Any], says: str) -> None:
    """The message names the value and the way out."""
    with pytest.raises(ConfigError, match=says):
        Sizing("llm", **given)
