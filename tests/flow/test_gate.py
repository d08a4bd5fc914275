"""The gate: permits in order, resizable, cancel-safe."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.errors import ConfigError
from core.flow import Gate, StoppedError
from tests.support.clock import FakeClock, settle


async def _hold(gate: Gate, log: list[str], name: str, priority: float, leave: asyncio.Event) -> None:
    async with gate.permit(priority):
        log.append(name)
        await leave.wait()


def test_waiters_go_in_order_of_priority_then_arrival() -> None:
    """A freed permit goes to the lowest priority value, and among equals to who came first."""

    async def main() -> list[str]:
        gate, log, leave = Gate("llm", 1), [], asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(_hold(gate, log, "first", 9, leave))
            await settle()
            for name, priority in (("late", 5), ("young", 2), ("old", 1), ("old again", 1)):
                group.create_task(_hold(gate, log, name, priority, leave))
            await settle()
            leave.set()
        return log

    assert asyncio.run(main()) == ["first", "old", "old again", "young", "late"]


def test_raising_wakes_exactly_the_spare_and_lowering_disturbs_nobody() -> None:
    """From 1 to 3 permits two waiters start; from 3 to 1 the three go on and the next starts after all left."""

    async def main() -> None:
        gate, log, leave = Gate("llm", 1), [], asyncio.Event()
        tasks = [asyncio.create_task(_hold(gate, log, str(n), n, leave)) for n in range(5)]
        await settle()
        gate.resize(3)
        await settle()
        assert (gate.in_flight, gate.waiting, log) == (3, 2, ["0", "1", "2"])
        gate.resize(1)
        await settle()
        assert gate.in_flight == 3
        leave.set()
        await asyncio.gather(*tasks)
        assert (gate.in_flight, gate.waiting, gate.peak) == (0, 0, 3)

    asyncio.run(main())


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "8"])
def test_a_limit_that_cannot_be_is_refused(limit: object) -> None:
    """A limit below one or not whole is an error that names the value."""
    with pytest.raises(ConfigError, match=repr(limit)):
        Gate("llm", limit)  # type: ignore[arg-type]


def test_pause_admits_nobody_until_resume() -> None:
    """Free permits are not handed out while the gate is paused."""

    async def main() -> None:
        gate, log, leave = Gate("llm", 2), [], asyncio.Event()
        leave.set()
        gate.pause()
        task = asyncio.create_task(_hold(gate, log, "a", 0, leave))
        await settle()
        assert log == []
        gate.resume()
        await task
        assert log == ["a"]

    asyncio.run(main())


def test_a_cool_down_holds_all_callers_once() -> None:
    """Two rejections at once close the gate for the longer time, not for the sum."""

    async def main() -> None:
        clock, log, leave = FakeClock(), [], asyncio.Event()
        leave.set()
        gate = Gate("llm", 2, clock=clock)
        gate.cool_down(5)
        gate.cool_down(3)
        task = asyncio.create_task(_hold(gate, log, "a", 0, leave))
        await clock.advance(4.9)
        assert log == []
        await clock.advance(0.2)
        assert log == ["a"]
        await task

    asyncio.run(main())


def test_a_longer_cool_down_extends_a_shorter_one() -> None:
    """The gate opens at the latest of the times it was given."""

    async def main() -> None:
        clock = FakeClock()
        gate = Gate("llm", 1, clock=clock)
        gate.cool_down(1)
        await clock.advance(0.5)
        gate.cool_down(2)
        task = asyncio.create_task(gate.acquire())
        await clock.advance(1.9)
        assert not task.done()
        await clock.advance(0.2)
        await task

    asyncio.run(main())


def test_shutting_stops_waiters_and_spares_the_running() -> None:
    """Waiters and newcomers get StoppedError; who holds a permit finishes."""

    async def main() -> None:
        gate, log, leave = Gate("llm", 1), [], asyncio.Event()
        running = asyncio.create_task(_hold(gate, log, "running", 0, leave))
        await settle()
        waiting = asyncio.create_task(gate.acquire())
        await settle()
        gate.shut()
        with pytest.raises(StoppedError):
            await waiting
        with pytest.raises(StoppedError):
            await gate.acquire()
        leave.set()
        await running
        assert (gate.in_flight, gate.waiting) == (0, 0)

    asyncio.run(main())


def test_a_sample_tells_average_and_full_share() -> None:
    """Two seconds idle, two full with a waiter: half the time full, one in flight on average of a limit of two."""

    async def main() -> None:
        clock = FakeClock()
        gate = Gate("llm", 2, clock=clock)
        await clock.advance(2)
        await gate.acquire()
        await gate.acquire()
        waiter = asyncio.create_task(gate.acquire())
        await clock.advance(2)
        sample = gate.sample(4.0)
        assert (sample.in_flight, sample.waiting, sample.peak) == (2, 1, 2)
        assert sample.in_flight_avg == pytest.approx(1.0)
        assert sample.full_share == pytest.approx(0.5)
        gate.release()
        await waiter

    asyncio.run(main())


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(1, 4),
    steps=st.lists(
        st.tuples(st.sampled_from(["start", "cancel", "leave", "resize", "tick"]), st.integers(0, 9)), max_size=60
    ),
)
def test_permits_return_to_zero_after_any_storm(limit: int, steps: list[tuple[str, int]]) -> None:
    """Whatever is started, cancelled, resized and released, no permit leaks and none is handed out beyond the limit."""

    async def main() -> None:
        gate, log = Gate("llm", limit), []
        tasks: list[tuple[asyncio.Task[None], asyncio.Event]] = []
        for verb, n in steps:
            if verb == "start":
                leave = asyncio.Event()
                tasks.append((asyncio.create_task(_hold(gate, log, "x", n, leave)), leave))
            elif verb == "resize":
                gate.resize(n + 1)
            elif verb == "tick":
                await settle(3)
            elif tasks:
                task, leave = tasks[n % len(tasks)]
                _ = task.cancel() if verb == "cancel" else leave.set()
        gate.resize(10)
        for _, leave in tasks:
            leave.set()
        await asyncio.gather(*(t for t, _ in tasks), return_exceptions=True)
        assert (gate.in_flight, gate.waiting) == (0, 0)

    asyncio.run(main())
