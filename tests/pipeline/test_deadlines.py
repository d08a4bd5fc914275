"""The deadlines that a run's calls carry: the stage's, and what was learned on the way."""

from __future__ import annotations

import asyncio

from core.base.errors import BrokenReplyError
from core.base.records import ModelReply, ModelRequest, Usage
from core.pipeline.engine import Engine
from core.pipeline.routes import Route, Unpriced
from tests.pipeline.test_engine import items, patient
from tests.support.clock import FakeClock
from tests.support.fakes import FakeSearcher, MemoryRecorder, reviews_workload


class Streaming:
    """Answers after `seconds`, its first byte after a tenth; calls whose number is in `hangs` are cut before that."""

    def __init__(self, clock: FakeClock, seconds: float, hangs: tuple[int, ...] = ()) -> None:
        self.clock = clock
        self.seconds = seconds
        self.hangs = hangs
        self.requests: list[ModelRequest] = []
        self.held: list[float] = []

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.requests.append(request)
        if len(self.requests) in self.hangs:
            wait = request.first_byte or request.timeout
            self.held.append(wait)
            await self.clock.sleep(wait)
            msg = "silent"
            raise BrokenReplyError(msg, late="first_byte")
        await self.clock.sleep(self.seconds)
        return ModelReply("A fine place [1].", Usage(100, 20), ttft=self.seconds / 10, gap=self.seconds / 20)

    async def aclose(self) -> None:
        return None


def ran(model: Streaming, *, stream: bool = True, count: int = 60, **stage: object) -> Engine:
    route = Route("a", "m", model, Unpriced(), stream)
    engine = Engine(
        reviews_workload(**stage),
        route=lambda _: route,
        searcher=FakeSearcher(),
        recorder=MemoryRecorder(),
        clock=model.clock,
        llm_limit=8,
    )
    asyncio.run(patient(engine, model.clock, items(count), seconds=3_000))
    return engine


def test_the_stages_deadlines_go_with_the_calls() -> None:
    """Set ones at first, the transport's pause where none is set; only streamed calls have a first byte to wait for."""
    model = Streaming(FakeClock(), 1.0)
    ran(model, count=3, timeout_s=50.0, first_byte_s=20.0, idle_s=7.0)
    total = next(r for r in model.requests if r.max_tokens == 256)
    aspect = next(r for r in model.requests if r.max_tokens == 80)
    assert (total.timeout, total.first_byte, total.idle) == (50.0, 20.0, 7.0)
    assert (aspect.timeout, aspect.first_byte, aspect.idle) == (60.0, 60.0, 30.0)
    whole = Streaming(FakeClock(), 1.0)
    ran(whole, stream=False, count=1)
    assert {request.first_byte for request in whole.requests} == {None}


def test_a_hang_holds_its_seat_for_seconds_once_latencies_are_known() -> None:
    """Where answers take 10 s and begin after one, a silent call is left after 5 s instead of a minute, and retried."""
    model = Streaming(FakeClock(), 10.0, hangs=(230,))
    engine = ran(model)
    assert model.held == [5.0]
    assert engine.halted is None
    aspect, total = (next(r for r in reversed(model.requests) if r.max_tokens == size) for size in (80, 256))
    assert (aspect.first_byte, aspect.idle) == (5.0, 10.0)
    assert 30.0 <= aspect.timeout < 33.0
    # Sixty totals are too few: they borrow, twice as long, and the more in all the more they may write.
    assert total.first_byte is not None
    assert 6.0 <= total.first_byte < 7.0
    assert total.timeout == 60.0
