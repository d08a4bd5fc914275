"""The gate under any order of callers, cancellations, limits and time, on a virtual clock."""

from __future__ import annotations

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.flow import Gate
from tests.support.clock import FakeClock, settle


class GateMachine(RuleBasedStateMachine):
    """Callers hold what they were given; the gate must agree with them after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        self.gate = Gate("llm", 3, clock=self.clock)
        self.waiting: list[tuple[float, asyncio.Task[None]]] = []
        self.held = 0
        self.allowed = 3

    def teardown(self) -> None:
        self.gate.shut()
        for _, task in self.waiting:
            task.cancel()
        self._run()
        assert asyncio.all_tasks(self.loop) == set()
        self.loop.close()

    def _run(self, seconds: float = 0.0) -> None:
        """Let everybody go on, and see who has been admitted: never somebody before a more urgent one."""
        self.loop.run_until_complete(self.clock.advance(seconds) if seconds else settle())
        self.admitted = [priority for priority, task in self.waiting if task.done() and not task.cancelled()]
        self.waiting = [(priority, task) for priority, task in self.waiting if not task.done()]
        self.held += len(self.admitted)

    @rule(priorities=st.lists(st.integers(0, 5), min_size=1, max_size=4))
    def come(self, priorities: list[int]) -> None:
        """Callers want a permit."""
        self.waiting += [(p, self.loop.create_task(self.gate.acquire(p))) for p in priorities]
        self._run()

    @precondition(lambda self: self.held)
    @rule()
    def leave(self) -> None:
        """One gives its permit back: the most urgent of those who wait gets it."""
        self.held -= 1
        urgent = min((priority for priority, _ in self.waiting), default=None)
        self.loop.call_soon(self.gate.release)
        self._run()
        assert self.admitted in ([], [urgent])

    @precondition(lambda self: self.waiting)
    @rule(n=st.integers(0, 99))
    def give_up(self, n: int) -> None:
        """One who waits does so no longer."""
        self.waiting[n % len(self.waiting)][1].cancel()
        self._run()

    @precondition(lambda self: self.held and self.waiting)
    @rule(n=st.integers(0, 99))
    def give_up_while_it_is_given(self, n: int) -> None:
        """A permit comes free and somebody who waits is cancelled in the same breath: it is not lost."""
        self.held -= 1
        self.gate.release()
        self.waiting[n % len(self.waiting)][1].cancel()
        self._run()

    @rule(limit=st.integers(1, 6))
    def resize(self, limit: int) -> None:
        """The operator's hand; running work above a lower limit goes on."""
        self.gate.resize(limit)
        self._run()

    @rule()
    def pause(self) -> None:
        self.gate.pause()

    @rule()
    def resume(self) -> None:
        self.gate.resume()
        self._run()

    @rule(seconds=st.floats(0.1, 20))
    def cool_down(self, seconds: float) -> None:
        async def hold() -> None:
            self.gate.cool_down(seconds)

        self.loop.run_until_complete(hold())

    @rule(seconds=st.floats(0.1, 30))
    def wait(self, seconds: float) -> None:
        self._run(seconds)

    @invariant()
    def the_gate_counts_what_callers_hold(self) -> None:
        assert self.gate.in_flight == self.held
        assert self.gate.waiting == len(self.waiting)

    @invariant()
    def nobody_is_admitted_beyond_the_limit(self) -> None:
        """What is held above the limit was admitted under a higher one."""
        self.allowed = max(self.gate.limit, min(self.allowed, self.held))
        assert self.held <= self.allowed

    @invariant()
    def nobody_waits_in_vain(self) -> None:
        """While the gate is open, whoever waits waits for a permit that somebody holds."""
        if self.waiting and not (self.gate.paused or self.gate.cooling):
            assert self.held >= self.gate.limit


TestGateMachine = GateMachine.TestCase
TestGateMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
