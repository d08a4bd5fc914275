"""A run played through by its events: the real plan, gates, seats, quotas and order, with measured service times.

What is simulated is what `core.pipeline` does: a window of items, each walking its plan; calls waiting at their gate
oldest item first (at the end those first that others wait for); a permit held while the call is recorded and under
way; the least loaded endpoint with a seat and room in its quota; failed tries that come back after a pause.
"""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from operator import attrgetter

from core.pipeline.plan import Node, Plan
from core.pipeline.ranking import ENDGAME, ENDING_ROUNDS
from core.tuning.scenario import Place, Scenario, Work
from core.tuning.servers import Server

PAUSE_S = 0.25  # the mean first back-off of a failed try
LEAST_WAIT_S = 1e-6
NEXT_AT, LOAD = attrgetter("next_at"), attrgetter("load")


@dataclass(frozen=True, slots=True)
class Played:
    """What a simulated run came to, in seconds since its start.

    finished: when each item ended, ascending; exhausted_s: when the last item was taken up; waited: by resource, the
    seconds in which it was what the run waited for; in_flight: mean calls by resource; crowd: by
    endpoint, what a call there saw in flight.
    """

    duration_s: float
    finished: tuple[float, ...]
    exhausted_s: float
    waited: dict[str, float]
    in_flight: dict[str, float]
    crowd: dict[str, float]


class Guest:
    """An item under way: its plan and how many nodes each of its nodes still waits for."""

    __slots__ = ("left", "open", "order", "plan")

    def __init__(self, order: int, plan: Plan) -> None:
        self.order = order
        self.plan = plan
        self.open = [len(node.needs) for node in plan.nodes]
        self.left = len(plan.nodes)


@dataclass(slots=True, eq=False)
class Call:
    """One call: `server` while it holds a seat."""

    guest: Guest
    node: Node
    server: Server | None = None
    failing: bool = False


@dataclass(slots=True)
class Line:
    """Calls of one stage that wait, lowest rank first. seated: whether every server has a number of seats; metered:
    whether one has a quota."""

    stage: str
    gate: str
    cap: float
    servers: list[Server]
    calls: list[tuple[float, int, Call]] = field(default_factory=list)
    under_way: int = 0
    seated: bool = False
    metered: bool = False

    def __post_init__(self) -> None:
        self.seated = all(server.place.limit is not None for server in self.servers)
        self.metered = any(server.metered for server in self.servers)

    @property
    def full(self) -> bool:
        """Whether no server has a seat."""
        return self.seated and all(server.full for server in self.servers)


def play(scenario: Scenario, items: int, seed: int = 0) -> Played:
    """Simulate that many items."""
    return _Run(scenario, items, random.Random(seed)).play()


class _Run:
    """The state of one simulated run and its clock."""

    def __init__(self, scenario: Scenario, items: int, rng: random.Random) -> None:
        self._scenario = scenario
        self._items = items
        self._rng = rng
        self._now = 0.0
        self._taken = 0
        self._sequence = 0
        self._limits = {"llm": scenario.llm_limit, "search": scenario.search_limit}
        self._held = {"llm": 0, "search": 0}
        self._queued = 0
        self._timers: list[tuple[float, int, Callable[[Call], None], Call]] = []
        self._wake_at = inf
        self._servers: dict[str, Server] = {}
        self._lines = {stage: self._line(stage, places) for stage, places in scenario.places.items()}
        self._finished: list[float] = []
        self._exhausted_s = 0.0
        self._area: defaultdict[str, float] = defaultdict(float)
        self._waited: defaultdict[str, float] = defaultdict(float)

    def _line(self, stage: str, places: tuple[Place, ...]) -> Line:
        servers = [self._servers.setdefault(place.name, Server(place)) for place in places]
        gate = next(n.stage.kind for plan in self._scenario.plans for n in plan.nodes if n.stage.id == stage)
        return Line(stage, gate, self._scenario.caps.get(stage, inf), servers)

    def play(self) -> Played:
        """From the first item to the end of the last."""
        for _ in range(min(self._scenario.most_items, self._items)):
            self._take_item()
        blocked = self._admit()
        while len(self._finished) < self._items:
            self._step(blocked)
            blocked = self._admit()
        return self._outcome()

    def _outcome(self) -> Played:
        span = max(self._now, LEAST_WAIT_S)
        return Played(
            self._now,
            tuple(self._finished),
            self._exhausted_s,
            dict(self._waited),
            {name: self._area[name] / span for name in self._held},
            {name: server.crowd for name, server in self._servers.items()},
        )

    def _step(self, blocked: str) -> None:
        """Move on to the next thing that happens."""
        server = min(self._servers.values(), key=NEXT_AT)
        ends, rings = server.next_at, self._timers[0][0] if self._timers else inf
        self._move(max(self._now, min(ends, rings, self._wake_at)), blocked)
        if self._wake_at <= self._now:
            self._wake_at = inf
        elif ends <= rings:
            self._ended(server.end(self._now))
        else:
            _, _, ring, call = heapq.heappop(self._timers)
            ring(call)

    def _move(self, now: float, blocked: str) -> None:
        span = now - self._now
        for name, held in self._held.items():
            self._area[name] += span * held
        if blocked:
            self._waited[blocked] += span
        self._now = now

    def _later(self, seconds: float, ring: Callable[[Call], None], call: Call) -> None:
        if seconds <= 0:
            ring(call)
            return
        self._sequence += 1
        heapq.heappush(self._timers, (self._now + seconds, self._sequence, ring, call))

    # Items

    def _take_item(self) -> None:
        if self._taken >= self._items:
            return
        plans = self._scenario.plans
        guest = Guest(self._taken, plans[self._taken % len(plans)])
        self._taken += 1
        if self._taken == self._items:
            self._exhausted_s = self._now
        for node in guest.plan.nodes:
            if not node.needs:
                self._ready(guest, node)

    def _ready(self, guest: Guest, node: Node) -> None:
        call = Call(guest, node)
        if self._rng.random() < self._scenario.skips.get(node.stage.id, 0.0):
            self._done(call)
        else:
            self._queue(call)

    def _done(self, call: Call) -> None:
        """A node is done and committed: what waited for it goes on, and the next item comes after the last node."""
        guest = call.guest
        guest.left -= 1
        for index in guest.plan.feeds[call.node.index]:
            guest.open[index] -= 1
            if not guest.open[index]:
                self._ready(guest, guest.plan.nodes[index])
        if not guest.left:
            self._finished.append(self._now)
            self._take_item()

    # Calls

    def _queue(self, call: Call) -> None:
        self._sequence += 1
        line = self._lines[call.node.stage.id]
        self._queued += line.gate == "llm"
        heapq.heappush(line.calls, (self._rank(call), self._sequence, call))

    def _rank(self, call: Call) -> float:
        if call.node.height or not self._ending():
            return call.guest.order
        return call.guest.order + ENDGAME

    def _ending(self) -> bool:
        return self._taken >= self._items and self._queued <= ENDING_ROUNDS * self._held["llm"]

    def _admit(self) -> str:
        """Start what can start; the resource that the first call in line waits for, '' when none waits."""
        while True:
            blocked = {"llm": "", "search": ""}
            best: Line | None = None
            for line in sorted((line for line in self._lines.values() if line.calls), key=_first):
                why = self._why_not(line)
                if not why:
                    best = line
                    break
                blocked[line.gate] = blocked[line.gate] or why
            if best is None:
                return blocked["llm"] or blocked["search"]
            self._start(best)

    def _why_not(self, line: Line) -> str:
        """What keeps the first call of a line from starting; '' when nothing does."""
        if line.under_way >= line.cap:
            return f"stage:{line.stage}"
        if line.full:
            return f"endpoint:{line.servers[0].place.name}"
        if self._held[line.gate] >= self._limits[line.gate]:
            return line.gate
        return self._no_quota(line) if line.metered else ""

    def _no_quota(self, line: Line) -> str:
        waits = [self._quota_wait(server, line) for server in line.servers if not server.full]
        wait = min(waits)
        if wait <= 0:
            return ""
        self._wake_at = min(self._wake_at, self._now + max(wait, LEAST_WAIT_S))
        return f"rate:{line.servers[0].place.name}"

    def _quota_wait(self, server: Server, line: Line) -> float:
        return server.quota_wait(self._work(server, line.calls[0][2]).tokens, self._now)

    def _work(self, server: Server, call: Call) -> Work:
        return server.place.work(call.node.stage.id, len(call.node.parts))

    def _start(self, line: Line) -> None:
        server = self._least_loaded(line)
        _, _, call = heapq.heappop(line.calls)
        call.server = server
        if line.metered:
            server.charge(self._work(server, call).tokens, self._now)
        server.held += 1
        line.under_way += 1
        self._queued -= line.gate == "llm"
        self._held[line.gate] += 1
        self._later(self._scenario.commit_s, self._sent, call)

    def _least_loaded(self, line: Line) -> Server:
        """The server for the first call in line; one that stands alone was found to have room."""
        if len(line.servers) == 1:
            return line.servers[0]
        usable = [s for s in line.servers if not s.full and self._quota_wait(s, line) <= 0]
        return min(usable, key=LOAD)

    def _sent(self, call: Call) -> None:
        assert call.server is not None  # noqa: S101 - it holds a seat
        work = self._work(call.server, call)
        call.failing = self._rng.random() < work.failure_share
        seconds = work.failure_s if call.failing else work.draw(self._rng.random())
        call.server.start(call, seconds, self._now)

    def _ended(self, call: Call) -> None:
        assert call.server is not None  # noqa: S101 - it holds a seat
        line = self._lines[call.node.stage.id]
        call.server.held -= 1
        call.server = None
        line.under_way -= 1
        self._held[line.gate] -= 1
        if call.failing:
            self._later(self._scenario.commit_s + PAUSE_S, self._queue, call)
        else:
            self._later(self._scenario.commit_s, self._done, call)


def _first(line: Line) -> tuple[float, int, Call]:
    return line.calls[0]  # no two have the same number: calls are never compared
