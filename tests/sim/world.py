"""The world around a limit: demand, a server, what happens to it, and a record of what came of it. No asyncio.

Times are virtual seconds from 0. The world keeps as many calls in flight as the limit allows and the demand offers,
tells the limit what the contract says, and is the same for every limit: only the limit differs between two runs.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from core.base.records import Outcome
from core.flow import Breaker, BreakerState
from core.flow.limits import Gauges, Limit, LimitChange, Sample
from tests.sim.demand import Demand, Kitchen
from tests.sim.server import NEVER, Call, Law, Server

REJECTED_IN_S = 0.03


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to the server: `do(world)` at that second."""

    at: float
    do: Callable[[World], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A server, a demand, and what happens; `seconds` at most, or until the demand's calls are all answered."""

    name: str
    law: Law
    demand: Demand | Kitchen
    seconds: float = 720.0
    events: tuple[Event, ...] = ()
    stray: float = 0.0
    stray_busy: bool = False
    gauged: bool = False
    slo_s: float | None = None
    limits: tuple[int, ...] = ()


@dataclass(slots=True)
class Trace:
    """What came of a run: answers as (ended at, output tokens, latency), changes as (at, in force, change)."""

    ended: list[tuple[float, int, float]] = field(default_factory=list)
    changes: list[tuple[float, LimitChange]] = field(default_factory=list)
    rejected: int = 0
    failed: int = 0
    sent: int = 0
    finished_at: float = 0.0

    def rate(self, since: float = 0.0, until: float = NEVER) -> float:
        """Output tokens a second (answers a second, where there are none) between two moments."""
        until = min(until, self.finished_at)
        amounts = [tokens or 1 for at, tokens, _ in self.ended if since <= at <= until]
        return sum(amounts) / max(1e-9, until - since)

    def breaches(self, slo_s: float, since: float = 0.0) -> float:
        """Share of answers that took longer."""
        late = [latency > slo_s for at, _, latency in self.ended if at >= since]
        return sum(late) / max(1, len(late))

    def when(self, calls: int) -> float:
        """The moment when that many calls had been answered."""
        return self.ended[min(calls, len(self.ended)) - 1][0]


class World:
    """One run of a scenario under a limit. It is also the clock of the breaker."""

    def __init__(self, scenario: Scenario, limit: Limit, seed: int) -> None:
        self.scenario = scenario
        self.limit = limit
        self.now = 0.0
        self.out = False
        self.trace = Trace()
        self.rng = random.Random(seed)
        self.server = Server(scenario.law)
        self.breaker = Breaker(self, random.Random(seed + 1))
        self.in_flight = 0
        self.offered = scenario.demand.offers(self.rng)
        self._probing: Call | None = None
        self._serial = 0
        self._later: list[tuple[float, int, Any]] = []
        self._tick_at = 1.0
        for event in scenario.events:
            self.after(event.at, event.do)

    def __repr__(self) -> str:
        return f"<World {self.scenario.name} at {self.now:.1f} s, {self.in_flight} in flight, {self.limit!r}>"

    def monotonic(self) -> float:
        """The clock's time."""
        return self.now

    wall = monotonic

    async def sleep(self, seconds: float) -> None:
        """Nobody sleeps here."""
        raise AssertionError

    def after(self, at: float, do: Callable[[World], None]) -> None:
        """Let something happen then."""
        self._serial += 1
        heapq.heappush(self._later, (at, self._serial, do))

    def run(self) -> Trace:
        """Until the time is over or everything is answered."""
        end, server, later = self.scenario.seconds, self.server, self._later
        self._fill()
        while self.now < end and not (self.offered.over and not self.in_flight):
            at = server.next_at
            first = min(at, self._tick_at, later[0][0] if later else NEVER)
            self.now = max(self.now, min(first, end))
            if at <= first:
                self._serve()
            elif self._tick_at <= first:
                self._tick()
            else:
                heapq.heappop(later)[2](self)
            self._fill()
        self.trace.finished_at = self.now
        return self.trace

    def _serve(self) -> None:
        for call in self.server.advance(self.now):
            if call.ours:
                self.end(call, Outcome.SUCCESS)
            elif not self.out:
                self.join(call.prompt, call.output)

    def join(self, prompt: int, output: int) -> None:
        """A neighbour's call comes."""
        self.server.submit(Call(prompt, output, output, ours=False), self.now)

    def _tick(self) -> None:
        self._tick_at += 1.0
        self._note(self.limit.tick(self.now, self.in_flight, self.offered.waiting(self.now, self.in_flight)))
        if self.scenario.gauged:
            self._note(self.limit.gauges(Gauges(self.now, self.server.waiting, self.server.preemptions)))

    def _note(self, change: LimitChange | None) -> None:
        if change is not None:
            self.trace.changes.append((self.now, change))

    def _fill(self) -> None:
        while self.in_flight < self.limit.limit and self.offered.waiting(self.now, self.in_flight):
            if self._probing is not None or not self.breaker.allow():
                return
            self._send()

    def _send(self) -> None:
        call = self.offered.take(self.now)
        self.in_flight += 1
        call.started_at, call.in_flight = self.now, self.in_flight
        self.trace.sent += 1
        if self.breaker.state is BreakerState.HALF_OPEN:
            self._probing = call
        self.limit.started(self.now, self.in_flight)
        self._submit(call)

    def _submit(self, call: Call) -> None:
        if self.out:
            self._soon(call, Outcome.IGNORED, False)
        elif self.scenario.stray and self.rng.random() < self.scenario.stray:
            self._soon(call, Outcome.OVERLOAD, self.scenario.stray_busy)
        elif not self.server.submit(call, self.now):
            self._soon(call, Outcome.OVERLOAD, True)

    def _soon(self, call: Call, outcome: Outcome, busy: bool) -> None:
        self.after(self.now + REJECTED_IN_S, lambda world: world.end(call, outcome, busy))

    def end(self, call: Call, outcome: Outcome, busy: bool = False) -> None:
        """A call of ours came back, whatever came of it."""
        self.in_flight -= 1
        if call is self._probing:
            self._probing = None
        if outcome is Outcome.SUCCESS:
            self.trace.ended.append((self.now, call.size, self.now - call.started_at))
            self.offered.answered(call)
        else:
            self.offered.back(call)
            self.trace.rejected += outcome is Outcome.OVERLOAD
            self.trace.failed += outcome is Outcome.IGNORED
        self._note(
            self.limit.ended(
                Sample(call.started_at, self.now, outcome, call.in_flight, call.prompt, call.size, busy=busy)
            )
        )
        self._break(call, outcome)

    def _break(self, call: Call, outcome: Outcome) -> None:
        before = self.breaker.state
        if outcome is Outcome.IGNORED:
            self.breaker.failed(call.started_at)
        else:
            self.breaker.succeeded(call.started_at)
        if before is BreakerState.CLOSED and self.breaker.state is BreakerState.OPEN:
            self._note(self.limit.down(self.now))
        if before is not BreakerState.CLOSED and self.breaker.state is BreakerState.CLOSED:
            self._note(self.limit.up(self.now))
        if self.breaker.state is BreakerState.OPEN:
            self.after(self.now + self.breaker.retry_in + 1e-3, lambda world: None)

    def outage(self, seconds: float) -> None:
        """Nobody answers for so long; what was there is lost."""
        self.out = True
        for call in self.server.drop(self.now):
            if call.ours:
                self.end(call, Outcome.IGNORED)
        self.after(self.now + seconds, World._back)

    def _back(self) -> None:
        self.out = False


def play(scenario: Scenario, limit: Limit, seed: int) -> Trace:
    """The run of a scenario under a limit."""
    return World(scenario, limit, seed).run()
