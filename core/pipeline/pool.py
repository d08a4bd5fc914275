"""Endpoints that serve one model, and which of them takes the next call.

A lane is one endpoint with its health, its quota and what is in flight there, whatever the model; a pool picks the
least loaded healthy lane for one model. Both belong to one event loop and do no I/O.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence

from core.base.clock import SYSTEM_CLOCK, Clock
from core.flow import Breaker, BreakerState, Gate, Rates
from core.pipeline.routes import Route

NEAR = 0.10
SMOOTHING = 0.2
OUTAGE_S = 90.0


class Lane:
    """One endpoint. limit: most calls in flight there (None: only the run's own limit)."""

    def __init__(
        self,
        name: str,
        *,
        limit: int | None = None,
        breaker: Breaker | None = None,
        rates: Rates | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.name = name
        self.limit = limit
        self.breaker = breaker or Breaker(clock, name=name)
        self.rates = rates or Rates(clock=clock, name=name)
        self.in_flight = 0
        self.latency_s = 0.0
        self.trouble = ""

    def __repr__(self) -> str:
        of = f"/{self.limit}" if self.limit else ""
        return f"<Lane {self.name} {self.in_flight}{of}, {self.latency_s:.2f} s, {self.breaker.state}>"

    @property
    def healthy(self) -> bool:
        """Whether a call may be sent as far as its health is concerned: closed, or open with a probe due."""
        state = self.breaker.state
        return state is BreakerState.CLOSED or (state is BreakerState.OPEN and self.breaker.retry_in <= 0)

    @property
    def full(self) -> bool:
        """Whether every place of its own is taken."""
        return self.limit is not None and self.in_flight >= self.limit

    @property
    def load(self) -> float:
        """Share of its own limit that is busy; without a limit, what its calls in flight take at its latency."""
        if self.limit is not None:
            return self.in_flight / self.limit
        return (self.in_flight + 1) * (self.latency_s or 1.0)

    def answered(self, seconds: float) -> None:
        """Learn from an answer that took so long (an exponential mean)."""
        old = self.latency_s or seconds
        self.latency_s = old + SMOOTHING * (seconds - old)


class Pool:
    """The lanes of one model, each with the route of that model there."""

    def __init__(self, lanes: Sequence[tuple[Lane, Route]], *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.lanes = [lane for lane, _ in lanes]
        self.routes: Mapping[str, Route] = {lane.name: route for lane, route in lanes}
        self._clock = clock
        self._down_since: float | None = None
        limits = [lane.limit for lane in self.lanes]
        self.places = None if None in limits else Gate("endpoints", sum(n or 0 for n in limits), clock=clock)

    def __repr__(self) -> str:
        return f"<Pool {self.lanes}>"

    def pick(self, item_id: str) -> Lane | None:
        """The lane for an item's next call; None when all are down or full.

        Lanes about as loaded as the least loaded one count as equal; among them an item keeps to one, whose prefix
        cache knows its prompts.
        """
        usable = [lane for lane in self.lanes if lane.healthy and not lane.full]
        if len(usable) < 2:
            return usable[0] if usable else None
        usable = [lane for lane in usable if lane.rates.opens_in <= 0] or usable
        least = min(lane.load for lane in usable)
        near = [lane for lane in usable if lane.load <= least * (1 + NEAR)]
        return max(near, key=lambda lane: zlib.crc32(f"{item_id}\0{lane.name}".encode()))

    def resize(self) -> None:
        """Give out as many places as healthy lanes have."""
        if self.places is not None:
            self.places.resize(max(1, sum(lane.limit or 0 for lane in self.lanes if lane.healthy)))

    @property
    def wait_s(self) -> float:
        """Seconds until a lane that is down may be probed; 0 when one may be used, or a probe is on its way."""
        return min((lane.breaker.retry_in for lane in self.lanes), default=0.0)

    @property
    def down(self) -> bool:
        """Whether no lane is healthy; how long that lasts is counted from the first look."""
        is_down = not any(lane.healthy for lane in self.lanes)
        if not is_down and all(lane.breaker.state is BreakerState.CLOSED for lane in self.lanes):
            self._down_since = None
        elif is_down and self._down_since is None:
            self._down_since = self._clock.monotonic()
        return is_down

    @property
    def lost(self) -> bool:
        """Whether it has been down for longer than an outage may last."""
        since = self._down_since
        return self.down and since is not None and self._clock.monotonic() - since > OUTAGE_S

    @property
    def reason(self) -> str:
        """Why the lanes are down, for the operator."""
        return " ".join(f"{lane.name}: {lane.trouble} {lane.breaker.reason}" for lane in self.lanes if not lane.healthy)


Pools = Callable[[str], Pool]


def single(route: Callable[[str], Route], clock: Clock = SYSTEM_CLOCK) -> Pools:
    """Pools of one lane: each model is served in one place."""
    lanes: dict[str, Lane] = {}
    known: dict[str, Pool] = {}

    def pool(model: str) -> Pool:
        found = known.get(model)
        if found is None:
            there = route(model)
            lane = lanes.setdefault(there.endpoint, Lane(there.endpoint, clock=clock))
            found = known[model] = Pool([(lane, there)], clock=clock)
        return found

    return pool
