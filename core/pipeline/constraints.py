"""What a run waits for, looked at ten times a second: the one resource that, given more of it, would let more calls go.

The order of the questions is that of cause and effect: a loop that is short of CPU or waits for the disk makes the
gates look full, and so does a server that makes its callers wait; a full search gate holds nobody back while model
calls wait anyway. At most one answer per look, so that the shares add up to at most 1.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from core.flow import BreakerState, Gate
from core.pipeline.engine import Engine
from core.pipeline.pool import Lane, Pool
from core.store.constraints import WATCHED, Waited
from core.store.ledger import Commits

LOOK_S = 0.1
LONGEST_LOOK_S = 2.0
CPU_FULL = 0.9
CPU_SPAN_S = 1.0
DISK_SHARE = 0.5

Why = tuple[str, str]


class Constraints:
    """Looks at an engine and keeps account. `cpu` gives the seconds of CPU that the loop's thread has used so far."""

    def __init__(self, engine: Engine, commits: Commits, cpu: Callable[[], float] = time.thread_time) -> None:
        self._engine = engine
        self._commits = commits
        self._cpu = cpu
        self._at = self._cpu_at = engine.clock.monotonic()
        self._cpu_used = cpu()
        self._cpu_share = 0.0
        self._seconds: defaultdict[Why, float] = defaultdict(float)

    def __repr__(self) -> str:
        return f"<Constraints {self.why() or 'none'}, loop {self._cpu_share:.0%}>"

    def look(self) -> None:
        """Count the time since the last look to what the run waits for now; a paused run is not watched."""
        now = self._engine.clock.monotonic()
        span, self._at = min(now - self._at, LONGEST_LOOK_S), now
        self._look_at_cpu(now)
        if any(gate.paused for gate in self._engine.gates.values()):
            return
        self._seconds[WATCHED, ""] += span
        if why := self.why():
            self._seconds[why] += span

    def take(self) -> list[Waited]:
        """What was counted since the last time."""
        taken = [Waited(*why, seconds) for why, seconds in self._seconds.items()]
        self._seconds.clear()
        return taken

    def why(self) -> Why | None:
        """The resource that the run waits for, and its name where there are several; None for none."""
        if self._cpu_share >= CPU_FULL:
            return "cpu", ""
        if self._waits_for_disk():
            return "disk", ""
        return next(self._for_models(), None) or self._for_search()

    def _look_at_cpu(self, now: float) -> None:
        span = now - self._cpu_at
        if span >= CPU_SPAN_S:
            used = self._cpu()
            self._cpu_share = (used - self._cpu_used) / span
            self._cpu_at, self._cpu_used = now, used

    def _waits_for_disk(self) -> bool:
        """Whether calls that hold a permit mostly wait until they are recorded."""
        held = sum(gate.in_flight for gate in self._engine.gates.values())
        full = any(_full(gate) for gate in self._engine.gates.values())
        return full and self._commits.waiting > DISK_SHARE * held

    def _for_models(self) -> Iterator[Why]:
        """Why model calls wait, the cause first; nothing while none waits."""
        context = self._engine.context
        if not context.queued:
            return
        for pool in self._pools():
            yield from _of_pool(pool)
        yield from (("stage", name) for name, gate in context.stage_gates.items() if _full(gate))
        if _full(context.gates["llm"]):
            yield "llm", ""

    def _for_search(self) -> Why | None:
        return ("search", "") if _full(self._engine.gates["search"]) else None

    def _pools(self) -> Iterable[Pool]:
        """The pools of the models that the stages use now."""
        context = self._engine.context
        models = {context.allocate(s).model: s for s in context.workload.stages if s.kind == "llm"}
        return [context.pool(model) for model in models]


def _full(gate: Gate) -> bool:
    return gate.waiting > 0 and gate.in_flight >= gate.limit


def _of_pool(pool: Pool) -> Iterator[Why]:
    """What keeps a pool from taking calls: it is down, cools down, is paced, or has no seat."""
    lanes = pool.lanes
    names = ", ".join(sorted(lane.name for lane in lanes))
    if all(lane.breaker.state is not BreakerState.CLOSED for lane in lanes):
        yield "outage", names
    held_back = [lane for lane in lanes if lane.rates.waiting]
    if held_back and all(_held_back(lane) for lane in lanes):
        cooling = all(lane.rates.opens_in > 0 for lane in held_back)
        yield "cool_down" if cooling else "rate", names
    if _full(pool.places):
        yield "endpoint", names


def _held_back(lane: Lane) -> bool:
    """Whether a lane takes no calls: its quota or pace makes them wait, it is full, or it is down."""
    return lane.rates.waiting > 0 or lane.full or lane.breaker.state is not BreakerState.CLOSED
