"""Several servers of uneven size behind one queue of restaurants, each under a limit of its own. No asyncio.

A call counts as in flight from the moment it has a place; it is sent when its record is written (`held_s` later on
average), as the engine does. A free place goes to the server that should answer soonest.
The trace counts work, not output tokens: totals and aspects alternate in waves.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence

from core.base.records import Outcome
from core.flow.limits import Limit, LimitChange, Sample
from tests.sim.demand import Kitchen
from tests.sim.server import NEVER, Call, Law, Server
from tests.sim.world import Trace

SMOOTHING = 0.2


class Lane:
    """A server, its limit, and what is in flight there."""

    def __init__(self, law: Law, limit: Limit) -> None:
        self.server = Server(law)
        self.limit = limit
        self.in_flight = 0
        self.turn_s = 0.0
        self.changes: list[tuple[float, LimitChange]] = []

    def note(self, at: float, change: LimitChange | None) -> None:
        """Remember a change."""
        if change is not None:
            self.changes.append((at, change))

    @property
    def is_free(self) -> bool:
        """Whether it takes one more."""
        return self.in_flight < self.limit.limit

    @property
    def answers_in_s(self) -> float:
        """About when the next call would be answered."""
        return (self.in_flight + 1) * (self.turn_s or 0.05)


class PoolWorld:
    """One run: until every restaurant is through."""

    def __init__(
        self, laws: Sequence[Law], limits: Sequence[Limit], kitchen: Kitchen, seed: int, held_s: float = 0.0
    ) -> None:
        self.now = 0.0
        self.trace = Trace()
        self.lanes = [Lane(law, limit) for law, limit in zip(laws, limits, strict=True)]
        self._rng = random.Random(seed)
        self._tables = kitchen.offers(self._rng)
        self._held_s = held_s
        self._later: list[tuple[float, int, Lane, Call, float]] = []
        self._serial = 0
        self._tick_at = 1.0

    def run(self) -> Trace:
        """Serve them all."""
        self._fill()
        while not (self._tables.over and not any(lane.in_flight for lane in self.lanes)):
            lane = min(self.lanes, key=lambda lane: lane.server.next_at)
            first = min(lane.server.next_at, self._tick_at, self._later[0][0] if self._later else NEVER)
            self.now = max(self.now, first)
            if lane.server.next_at <= first:
                self._serve(lane)
            elif self._tick_at <= first:
                self._tick()
            else:
                self._send(*heapq.heappop(self._later)[2:])
            self._fill()
        self.trace.finished_at = self.now
        return self.trace

    def _fill(self) -> None:
        total = sum(lane.in_flight for lane in self.lanes)
        while (free := [lane for lane in self.lanes if lane.is_free]) and self._tables.waiting(self.now, total):
            lane = min(free, key=lambda lane: lane.answers_in_s)
            lane.in_flight += 1
            total += 1
            self._serial += 1
            held = self._rng.expovariate(1 / self._held_s) if self._held_s else 0.0
            heapq.heappush(self._later, (self.now + held, self._serial, lane, self._tables.take(self.now), held))

    def _send(self, lane: Lane, call: Call, held_s: float) -> None:
        call.started_at, call.in_flight, call.held_s = self.now, lane.in_flight, held_s
        lane.limit.started(self.now, lane.in_flight)
        lane.server.submit(call, self.now)

    def _serve(self, lane: Lane) -> None:
        for call in lane.server.advance(self.now):
            seconds = self.now - call.started_at
            turn = seconds / lane.in_flight
            lane.turn_s += SMOOTHING * (turn - lane.turn_s) if lane.turn_s else turn
            lane.in_flight -= 1
            self._tables.answered(call)
            sample = Sample(
                call.started_at,
                self.now,
                Outcome.SUCCESS,
                call.in_flight,
                call.prompt,
                call.size,
                held_s=call.held_s,
            )
            self.trace.ended.append((self.now, round(sample.work), seconds))
            lane.note(self.now, lane.limit.ended(sample))

    def _tick(self) -> None:
        self._tick_at += 1.0
        for lane in self.lanes:
            waiting = self._tables.waiting(self.now, lane.in_flight)
            lane.note(self.now, lane.limit.tick(self.now, lane.in_flight, waiting))
