"""Endpoints that serve one model, and which of them takes the next call.

A lane is one endpoint with its health, its quota and what is in flight there, whatever the model; a pool picks the
least loaded healthy lane for one model. Both belong to one event loop and do no I/O.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

from core.base.clock import SYSTEM_CLOCK, Clock
from core.base.errors import RateLimitedError
from core.flow import UNLIMITED, Breaker, BreakerState, Crowding, Gate, Rates
from core.models.gauges import GaugeReader
from core.pipeline.controller import Controller
from core.pipeline.rent import Meter
from core.pipeline.routes import Route

NEAR = 0.10
SMOOTHING = 0.2
OUTAGE_S = 90.0
# A longer wait than the shortest that a header in whole seconds can ask for is that of a quota.
CROWD_S = 1.0


class Lane:
    """One endpoint. limit: most calls in flight there (None: only the run's own limit), the least of what its
    configuration allows (`most`), what was found by tuning (`tuned`) and what rejections taught (`crowding`).

    address: the server's API base, by which other runs know it too ('': nothing that others could call); gauges: what
    the server says of itself. watch is fed with every call while the lane is tuned.
    """

    def __init__(
        self,
        name: str,
        *,
        limit: int | None = None,
        breaker: Breaker | None = None,
        rates: Rates | None = None,
        address: str = "",
        gauges: GaugeReader | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.name = name
        self.most = limit
        self.tuned: int | None = None
        self.watch: Controller | None = None
        self.address = address
        self.gauges = gauges
        self.breaker = breaker or Breaker(clock, name=name)
        self.rates = rates or Rates(clock=clock, name=name)
        self.crowding = Crowding()
        self.meter = Meter()
        self.in_flight = 0
        self.peak = 0
        self.successes = 0
        self.rejections = 0
        self.latency_s = 0.0
        self.turn_s = 0.0
        self.trouble = ""
        self._clock = clock

    def __repr__(self) -> str:
        of = f"/{self.limit}" if self.limit else ""
        return f"<Lane {self.name} {self.in_flight}{of}, {self.latency_s:.2f} s, {self.breaker.state}>"

    @property
    def limit(self) -> int | None:
        """Most calls in flight now."""
        known = [n for n in (self.most, self.tuned, self.crowding.room) if n is not None]
        return min(known) if known else None

    @property
    def healthy(self) -> bool:
        """Whether a call may be sent as far as its health is concerned: closed, or open with a probe due."""
        state = self.breaker.state
        return state is BreakerState.CLOSED or (state is BreakerState.OPEN and self.breaker.retry_in <= 0)

    @property
    def room(self) -> int:
        """Calls that it holds, or may: a limit that was lowered below what is in flight takes no other lane's room."""
        return max(self.limit or 0, self.in_flight)

    @property
    def full(self) -> bool:
        """Whether every place of its own is taken."""
        limit = self.limit
        return limit is not None and self.in_flight >= limit

    def load(self, unknown_s: float = 1.0) -> float:
        """Share of its own limit that is busy; without one, and where it was found by tuning, how long it takes to
        answer what would be in flight: a limit that is still searched for says little of how fast a server is.

        unknown_s: what its calls take in turn as long as none was answered.
        """
        limit = self.limit
        if limit is None or self.tuned is not None:
            return (self.in_flight + 1) * (self.turn_s or unknown_s)
        return self.in_flight / limit

    def boarded(self) -> None:
        """One more call is in flight."""
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        self.crowding.sent(self._clock.monotonic(), self.in_flight)

    def turned(self, before: BreakerState, at: float) -> None:
        """Tell the tuning where the breaker's state became another one: the lane went down, or came up again."""
        now = self.breaker.state
        if self.watch is None or now is before:
            return
        if before is BreakerState.CLOSED:
            self.watch.down(at)
        elif now is BreakerState.CLOSED:
            self.watch.up(at)
            if self.gauges is not None:
                self.gauges.retry()

    def answered(self, seconds: float) -> None:
        """Learn from an answer that took so long, itself still in flight (exponential means)."""
        self.successes += 1
        self.latency_s += SMOOTHING * (seconds - self.latency_s) if self.latency_s else seconds
        turn = seconds / max(1, self.in_flight)
        self.turn_s += SMOOTHING * (turn - self.turn_s) if self.turn_s else turn
        self.crowding.answered(self._clock.monotonic() - seconds)

    def rejected(self, error: RateLimitedError, started_at: float) -> None:
        """Learn from a rejection: fewer calls at once where it was the crowd, else a pause and a pace for all callers.

        Where the lane is tuned, the tuning follows what speaks of the crowd. A quota that is known, and one that is
        told by a long wait, explain what does not speak of it.
        """
        self.rejections += 1
        if self.watch is not None and error.busy:
            return
        hasty = (error.retry_after or 0.0) <= CROWD_S and not self.rates.limited
        if error.busy or hasty:
            now, others = self._clock.monotonic(), self.in_flight - 1
            if self.crowding.rejected(started_at, now, others, spoken=error.busy):
                return
        self.rates.rejected(started_at, error.retry_after)


class Pool:
    """The lanes of one model, each with the route of that model there. `places` are what its healthy lanes hold;
    none are needed where the run's gate counts just these lanes: then `counting` keeps it as wide as they are."""

    def __init__(self, lanes: Sequence[tuple[Lane, Route]], *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.lanes = [lane for lane, _ in lanes]
        self.routes = {lane.name: route for lane, route in lanes}
        self._clock = clock
        self._down_since: float | None = None
        self.counting: Callable[[], None] | None = None
        self.places = Gate("endpoints", _places(self.lanes), clock=clock)

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
        fastest = min((lane.turn_s for lane in usable if lane.turn_s), default=1.0)
        least = min(lane.load(fastest) for lane in usable)
        near = [lane for lane in usable if lane.load(fastest) <= least * (1 + NEAR)]
        return max(near, key=lambda lane: zlib.crc32(f"{item_id}\0{lane.name}".encode()))

    def takes(self, lane: Lane) -> bool:
        """Whether a call that waited for this very lane may go there now."""
        return lane in self.lanes and lane.healthy and not lane.full

    def add(self, lane: Lane, route: Route) -> None:
        """Take an endpoint in: it gets calls from now on."""
        self.lanes.append(lane)
        self.routes[lane.name] = route
        self.resize()

    def drop(self, lane: Lane) -> None:
        """Send an endpoint no new calls; those in flight finish."""
        self.lanes.remove(lane)
        self.resize()

    def resize(self) -> None:
        """Give out as many places as healthy lanes have."""
        if self.counting is not None:
            self.counting()
        places = UNLIMITED if self.counting is not None else _places(self.lanes)
        if places != self.places.limit:
            self.places.resize(places)

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
        if not self.lanes:
            return "Every endpoint of this model was removed: add one or restore one."
        return " ".join(f"{lane.name}: {lane.trouble} {lane.breaker.reason}" for lane in self.lanes if not lane.healthy)


def _places(lanes: Sequence[Lane]) -> int:
    """What healthy lanes hold together: at least one place, so that somebody finds out when they are well again."""
    if any(lane.limit is None for lane in lanes):
        return UNLIMITED
    return max(1, sum(lane.room for lane in lanes if lane.healthy))


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
