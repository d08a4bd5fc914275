"""A sweep under way: a run whose limit follows a schedule, on one endpoint; its points are kept as they come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from core.base.allocation import Layers
from core.base.endpoints import EndpointConfig
from core.base.errors import BrigadeError, RunError
from core.base.records import Item, RunStatus, Usage
from core.base.settings import Settings
from core.base.views import RunView, SweepPoint
from core.connections import Connections
from core.directions import Notices, Told
from core.flow.limits import Limit, SweepLimit
from core.launch import Launch
from core.models import rent
from core.pipeline.controller import knee
from core.pipeline.engine import Engine
from core.pipeline.plan import expand
from core.pipeline.pool import Lane
from core.pipeline.sizing import Sizing
from core.store import Store
from core.sweep_site import EndpointCosts, Site, record_of, site_of
from core.tuning.sweep import frontier
from core.tuning.sweep_watch import SweepWatch
from core.tuning.sweep_watch import Told as Hearers

THROUGH = "finished"
SHORT = "short"
QUOTA = "The endpoint has a quota a minute: it holds calls back, and what is above it lasts for seconds only."


@dataclass(frozen=True, slots=True)
class OneEndpoint(Notices):
    """The settings in force, with no endpoint but the one that is swept; a rehearsal's is in no configuration."""

    endpoint: EndpointConfig
    rehearsal: bool

    def settings_now(self, told: Told) -> Settings:
        """The endpoint as it is now: its quota may change, and it may be removed."""
        now = Notices.settings_now(self, told)
        mine = tuple(e for e in now.endpoints if e.name == self.endpoint.name)
        return replace(now, endpoints=(self.endpoint,) if self.rehearsal else mine)


class SweepRun:
    """One session of a sweep. Give `algorithm` to the engine, `attach` it, and `close` when the run has ended."""

    def __init__(self, run_id: str, site: Site, launch: Launch, store: Store, points: Sequence[SweepPoint]) -> None:
        self.run_id = run_id
        self.site = site
        self.launch = launch
        self._store = store
        self._points = list(points)
        self._engine: Engine | None = None
        self._watch: SweepWatch | None = None
        self._sample: Item | None = None
        self._lanes: list[Lane] = []
        self._writes: list[asyncio.Task[None]] = []
        self._through = False

    def __repr__(self) -> str:
        return f"<SweepRun {self.run_id} of {self.site.endpoint.name}, {len(self._points)} points>"

    def notices(self, notices: Notices) -> Notices:
        """What the run is told: of model calls, nothing of any other endpoint."""
        order = self.site.order
        if order.resource != "llm":
            return notices
        own = self.site.endpoint
        return OneEndpoint(notices.store, notices.settings, notices.env, own, order.preset is not None)

    def record(self) -> None:
        """Say in the store that the run is a sweep (blocking); its row must be there."""
        self._store.sweeps.create(self.run_id, **record_of(self.site))
        page = self._store.runs.pending_page(self.run_id, -1, 1)
        self._sample = page[0][1] if page else None

    def claim(self, connections: Connections, owner: str) -> None:
        """Take the server for this sweep alone (blocking); RunError names the run that tunes it."""
        self._lanes = [berth.lane for berth in connections.fleet.berths]
        for address in [lane.address for lane in self._lanes]:
            holder = self._store.tuners.claim(address, self.run_id, owner) if address else ""
            if holder:
                msg = f"Run {holder} tunes {address} already; two on one server measure each other. Wait or stop it."
                raise RunError(msg)

    def algorithm(self, sizing: Sizing, start: int) -> Limit:
        """The schedule, for the resource that is swept: the same one however often it is asked for."""
        if sizing.resource != self.site.order.resource:
            return knee(sizing, start)
        if self._watch is None:
            self._watch = self._watched(sizing)
        return self._watch

    def _watched(self, sizing: Sizing) -> SweepWatch:
        assert self._engine is not None  # noqa: S101 - attached before it runs
        left = left_of(self.site.order.limits, self._points)
        target = self.site.order.slo_p95_s
        schedule = SweepLimit(left or None, floor=sizing.floor, ceiling=sizing.ceiling, slo_p95_s=target)
        return SweepWatch(schedule, Hearers(self._point, self._end, self._price), self._engine.clock)

    def attach(self, engine: Engine) -> None:
        """The engine that the sweep ends when it is through."""
        self._engine = engine

    def _point(self, point: SweepPoint) -> None:
        """A measurement is complete: it is written beside the calls that go on."""
        self._points.append(point)
        write = asyncio.to_thread(self._store.sweeps.add, self.run_id, point)
        self._writes.append(asyncio.get_running_loop().create_task(write))

    def _end(self) -> None:
        """The schedule is through: nothing more is sent."""
        self._through = True
        if self._engine is not None:
            self._engine.stop(RunStatus.FINISHED, f"The sweep is through: {self._found()} {self._cut}".rstrip())

    def _found(self) -> str:
        count = len({point.limit for point in self._points})
        told = f"{count} limit{'' if count == 1 else 's'} measured"
        limit = frontier(self._points, self.site.order.slo_p95_s).knee
        return f"{told}." if limit is None else f"{told}; use {limit}."

    def _price(self, usage: Usage, calls_per_s: float) -> Decimal | None:
        """USD of an item: of its calls' tokens, or of the time that its calls take of a rented machine."""
        if self.site.order.resource == "search" or self._sample is None:
            return None
        calls = sum(n.stage.kind == "llm" for n in expand(self.site.workload, self._sample).nodes)
        a_second = rent(self.site.endpoint)
        if a_second is not None:
            return a_second * calls / Decimal(str(calls_per_s))
        each = EndpointCosts(self.site.endpoint).cost(self.site.model, usage)
        return None if each is None else each * calls

    async def close(self, ended: RunView) -> None:
        """Everything is written; a sweep that is not through says how far it came and why it ended."""
        with contextlib.suppress(BrigadeError):
            await asyncio.gather(*self._writes)
            why = self._cut if self._through else self._why_short(ended)
            await asyncio.to_thread(self._store.sweeps.end, self.run_id, SHORT if why else THROUGH, why)

    @property
    def _cut(self) -> str:
        """What cut the schedule short; '' where nothing did. A quota does: its reserve lasts for seconds only."""
        why = self._watch.why if self._watch else ""
        return f"{why} {QUOTA}" if why and any(lane.rates.limited for lane in self._lanes) else why

    def _why_short(self, ended: RunView) -> str:
        if ended.status is RunStatus.FINISHED:
            return f"The items ran out before the sweep was through: {self._found()}"
        return f"The sweep ended early ({ended.reason or ended.status.value}): {self._found()}"


def sweep_of(run_id: str, launch: Launch, store: Store, notices: Notices) -> SweepRun | None:
    """The sweep that a launch is (blocking); None for any other, and for one whose schedule is through."""
    order = launch.sweep
    if order is None:
        return None
    points = store.sweeps.points(run_id)
    if order.limits and not left_of(order.limits, points):
        return None
    told = notices.read()
    site = site_of(order, Layers(launch.workload, notices.settings_now(told), told.sound_allocation()))
    return SweepRun(run_id, site, replace(launch, workload=site.workload), store, points)


def left_of(limits: Sequence[int], points: Sequence[SweepPoint]) -> tuple[int, ...]:
    """The limits of a grid that are not measured yet."""
    done = {point.limit for point in points}
    return tuple(limit for limit in limits if limit not in done)
