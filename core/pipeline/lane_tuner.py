"""The model side of a run: each endpoint's own algorithm, and the gate over all endpoints in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from core.base.clock import Clock
from core.base.views import LaneSample
from core.flow import Gate
from core.flow.limits import LimitChange
from core.pipeline.controller import Algorithm, Controller
from core.pipeline.gate_tuner import Tell
from core.pipeline.pool import Lane, Pool
from core.pipeline.sizing import Sizing

BEGINS = "Auto begins here."
RESUMES = "Auto begins near the last good limit."
TAKES_OVER = "The other run is through: this one tunes the endpoint from here on."


class LaneTuner:
    """Sizes the lanes that the run has come to use, and the model gate.

    By hand the gate has the operator's number and the lanes only what their configuration says. In auto each lane has
    the least of its configured limit, the operator's ceiling and what its own algorithm found; the gate has their sum
    within the ceiling. `most` is the workload's own most, which holds in either mode. An endpoint that another run
    tunes (`claimed`) keeps the limit it has.
    """

    def __init__(
        self,
        gate: Gate,
        sizing: Sizing,
        clock: Clock,
        *,
        algorithm: Algorithm,
        tell: Tell,
        resized: Callable[[], None],
    ) -> None:
        self.gate = gate
        self.sizing = sizing
        self.lanes: list[Lane] = []
        self.claiming = False
        self.most: int | None = None
        self._clock = clock
        self._algorithm = algorithm
        self._tell = tell
        self._resized = resized
        self._pools: dict[Pool, int] = {}
        self._good: dict[str, int] = {}
        self._holders: dict[str, str] = {}
        self._counted: dict[Lane, tuple[int, int]] = {}

    def __repr__(self) -> str:
        return f"<LaneTuner {self.sizing.mode} {self.gate!r} {self.lanes}>"

    def remember(self, limits: Mapping[str, int]) -> None:
        """Begin auto with these limits by endpoint, which were good before."""
        self._good.update(limits)

    def use(self, pool: Pool) -> None:
        """A pool that calls go to; its lanes are in use from the first time on."""
        if self._pools.get(pool) != len(pool.lanes):
            self._pools[pool] = len(pool.lanes)
            self._take_in(pool.lanes)

    def _take_in(self, lanes: Sequence[Lane]) -> None:
        fresh = [lane for lane in lanes if lane not in self.lanes]
        self.lanes += fresh
        for lane in fresh if self.sizing.auto else ():
            known = self._good.get(lane.name)
            self._begin(lane, known or self.sizing.begin, "auto", RESUMES if known else BEGINS)
        self.apply()

    def _serving(self) -> set[Lane]:
        """The lanes that new calls go to; the others drain."""
        return {lane for pool in self._pools for lane in pool.lanes}

    def unclaimed(self) -> list[Lane]:
        """Lanes in auto whose server another run may tune: whoever claims them says what came of it."""
        return [lane for lane in self.lanes if lane.address] if self.sizing.auto else []

    def claimed(self, lane: Lane, holder: str) -> None:
        """This run may tune the lane (''), or another one does, and this one keeps a fixed limit."""
        before = self._holders.get(lane.name)
        if not self.sizing.auto or before == holder:
            return
        self._holders[lane.name] = holder
        now = lane.tuned or self.sizing.begin
        if holder:
            lane.watch = None
            why = f"Run {holder} tunes {lane.address} already: this one keeps {now} there until that run ends."
            self._tell(lane.name, LimitChange(now, now, why, "held"), "auto")
        else:
            why = TAKES_OVER if before else RESUMES if lane.name in self._good else BEGINS
            self._start(lane, now, "auto", why)
        self.apply()

    def set(self, sizing: Sizing, who: str, reason: str) -> None:
        """What the operator wants from now on; auto goes on from the limits in force."""
        before, self.sizing = self.sizing, sizing
        if not sizing.auto:
            self._fix(who, reason)
        elif not before.auto:
            for lane, start in zip(self.lanes, self._shares(), strict=True):
                self._begin(lane, start, who, reason)
        else:
            self._adjust(before, who, reason)
        self.apply()

    def cap(self, most: int | None) -> None:
        """The workload's own most of model calls in flight; None lifts it."""
        self.most = most
        self._resize("The workload allows no more." if most else "The workload's own most is lifted.", "settings")
        self.apply()

    def _fix(self, who: str, reason: str) -> None:
        if self._serving():
            self.gate.resize(self._bounded(sum(lane.limit or 0 for lane in self._serving())))
        for lane in self.lanes:
            self._good[lane.name] = lane.tuned or self._good.get(lane.name, 0)
            lane.watch = lane.tuned = None
        self._holders.clear()
        self._resize(reason, who)

    def _resize(self, reason: str, who: str) -> None:
        """Bring a number by hand into force."""
        if self.sizing.auto:
            return
        old, new = self.gate.limit, min(self.sizing.begin, self.most or self.sizing.begin)
        self.gate.resize(new)
        if old != new:
            self._tell("", LimitChange(old, new, reason, "fixed"), who)

    def _shares(self) -> list[int]:
        """The gate's limit among the lanes, in the proportions that were good before."""
        weights = [self._good.get(lane.name) or 1 for lane in self.lanes]
        return [max(1, round(self.gate.limit * weight / sum(weights))) for weight in weights]

    def _adjust(self, before: Sizing, who: str, reason: str) -> None:
        """Other bounds, or another SLO, for which the search begins anew where it stands."""
        for lane in self.lanes:
            if lane.watch is None:
                lane.tuned = self._own(lane).within(lane.tuned or self.sizing.begin)
            elif before.slo_p95_s != self.sizing.slo_p95_s:
                self._start(lane, lane.watch.limit, who, reason)
            else:
                own = self._own(lane)
                lane.watch.bound(self._clock.monotonic(), own.floor, own.ceiling)

    def _begin(self, lane: Lane, start: int, who: str, reason: str) -> None:
        """Tune a lane, at once or when its server is found to be tuned by nobody else."""
        if self.claiming and lane.address:
            lane.tuned = self._own(lane).within(start)
        else:
            self._start(lane, start, who, reason)

    def _start(self, lane: Lane, start: int, who: str, reason: str) -> None:
        def moved(change: LimitChange) -> None:
            lane.tuned = change.new
            self._tell(lane.name, change, "auto")
            self.apply()

        lane.watch = Controller(self._algorithm(self._own(lane), start), moved)
        limit = lane.tuned = lane.watch.limit
        self._tell(lane.name, LimitChange(limit, limit, reason, "start"), who)

    def _own(self, lane: Lane) -> Sizing:
        """The operator's bounds within what the endpoint's configuration allows."""
        ceiling = min(self.sizing.ceiling, lane.most or self.sizing.ceiling)
        return replace(self.sizing, floor=min(self.sizing.floor, ceiling), ceiling=ceiling)

    def apply(self) -> None:
        """Bring the limits of the lanes into force: in the pools' places and, in auto, in the gate."""
        serving = self._serving()
        if self.sizing.auto and serving:
            self._widen()
        for pool in self._pools:
            pool.counting = self._widen if self.sizing.auto and len(pool.lanes) == len(serving) else None
            pool.resize()
        self._resized()

    def _widen(self) -> None:
        """Let the gate have the room of all lanes: what is in flight beyond a lowered limit is nobody else's place."""
        serving = self._serving()
        total = sum(lane.room if lane in serving else lane.in_flight for lane in {*self.lanes, *serving})
        limit = self._bounded(total)
        if limit != self.gate.limit:
            self.gate.resize(limit)

    def _bounded(self, total: int) -> int:
        return max(1, min(total, self.sizing.ceiling, self.most or total))

    def tick(self) -> None:
        """A second has passed."""
        now, serving = self._clock.monotonic(), self._serving()
        self._take_in([lane for lane in serving if lane not in self.lanes])
        self.lanes = [lane for lane in self.lanes if lane in serving or lane.in_flight]
        for lane in self.lanes:
            if lane.watch is not None:
                lane.watch.tick(now, lane.in_flight, self._waiting(lane))
            lane.peak = lane.in_flight

    def _waiting(self, lane: Lane) -> int:
        """Callers that wait for this lane's places; nobody does while it has a free one: then a quota holds them."""
        if lane.limit is None or lane.peak < lane.limit:
            return 0
        return self.gate.waiting + sum(pool.places.waiting for pool in self._pools if lane in pool.lanes)

    def samples(self, since_start: float) -> Sequence[LaneSample]:
        """What the lanes in use did since the last time; `since_start` is the run's time in seconds."""
        serving = self._serving()
        return [self._sample(lane, since_start, drains=lane not in serving) for lane in self.lanes]

    def _sample(self, lane: Lane, t: float, *, drains: bool) -> LaneSample:
        successes, rejections = self._counted.get(lane, (0, 0))
        self._counted[lane] = lane.successes, lane.rejections
        return LaneSample(
            t=t,
            endpoint=lane.name,
            limit=min(lane.limit or self.gate.limit, self.gate.limit),
            in_flight=lane.in_flight,
            waiting=self._waiting(lane),
            latency_s=lane.latency_s,
            state="draining" if drains else lane.breaker.state.value,
            pacing_s=lane.rates.wait(0),
            rate_limited=lane.rejections - rejections,
            successes=lane.successes - successes,
        )
