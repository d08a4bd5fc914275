"""What sizes a run: the operator's numbers or, in auto, an algorithm for the searches and one for each endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from core.base.clock import Clock
from core.flow import Gate
from core.flow.limits import LimitChange
from core.pipeline.controller import Algorithm, Moved, knee
from core.pipeline.gate_tuner import GateTuner
from core.pipeline.lane_tuner import LaneTuner
from core.pipeline.pool import Lane
from core.pipeline.sizing import Sizing, Wanted

TICK_S = 1.0


def _nobody(_: Moved) -> None:
    """Changes that nobody records."""


class Tuner:
    """Both sides of a run. `tell` hears of every change once it is in force; `attend` gives the seconds."""

    def __init__(
        self,
        gates: Mapping[str, Gate],
        llm: Sizing,
        search: Sizing,
        clock: Clock,
        *,
        resized: Callable[[], None],
        algorithm: Algorithm = knee,
    ) -> None:
        self.tell: Callable[[Moved], None] = _nobody
        self._clock = clock
        told = self._telling
        self.llm = LaneTuner(gates["llm"], llm, clock, algorithm=algorithm, tell=told("llm"), resized=resized)
        self.search = GateTuner(
            gates["search"], search, clock, algorithm=algorithm, tell=told("search"), resized=resized
        )

    def __repr__(self) -> str:
        return f"<Tuner {self.llm!r} {self.search!r}>"

    def _telling(self, resource: str) -> Callable[[str, LimitChange, str], None]:
        def tell(endpoint: str, change: LimitChange, who: str) -> None:
            self.tell(Moved(self._clock.wall(), resource, endpoint, change, who))

        return tell

    def _side(self, resource: str) -> LaneTuner | GateTuner:
        return self.llm if resource == "llm" else self.search

    @property
    def modes(self) -> dict[str, str]:
        """`auto` or `fixed`, by resource."""
        return {"search": self.search.sizing.mode, "llm": self.llm.sizing.mode}

    @property
    def sizings(self) -> dict[str, Sizing]:
        """What the operator wants, by resource."""
        return {"search": self.search.sizing, "llm": self.llm.sizing}

    def remember(self, limits: Mapping[tuple[str, str], int]) -> None:
        """Begin auto with these limits by (resource, endpoint), which were good in an earlier session."""
        self.llm.remember({endpoint: n for (resource, endpoint), n in limits.items() if resource == "llm" and endpoint})
        if (known := limits.get(("search", ""))) is not None:
            self.search.remember(known)

    def set(self, resource: str, limit: Wanted, *, who: str = "operator", reason: str = "") -> None:
        """A number by hand, or `auto` from the limit in force on; ConfigError for what is neither."""
        side = self._side(resource)
        wanted = side.sizing.changed_to(limit)
        side.set(wanted, who, reason or (f"{who} set {limit}." if not wanted.auto else f"{who} switched to auto."))

    def bound(self, resource: str, *, who: str, reason: str = "", **bounds: float | None) -> None:
        """Another `floor`, `ceiling` or `slo_p95_s`; ConfigError for what contradicts itself."""
        side = self._side(resource)
        said = ", ".join(f"{name} {value}" for name, value in bounds.items())
        side.set(replace(side.sizing, **bounds), who, reason or f"{who} set {said}.")  # type: ignore[arg-type]  # by name

    async def attend(self) -> None:
        """Let the seconds pass and listen to what servers say of themselves, until cancelled."""
        self.search.begin()
        async with asyncio.TaskGroup() as listening:
            heard: dict[Lane, asyncio.Task[None]] = {}
            while True:
                await self._clock.sleep(TICK_S)
                self.llm.tick()
                self.search.tick()
                for lane in self.llm.lanes:
                    if _speaks(lane) and (lane not in heard or heard[lane].done()):
                        heard[lane] = listening.create_task(_listen(lane))


def _speaks(lane: Lane) -> bool:
    """Whether a lane is tuned and its server has gauges."""
    return lane.watch is not None and lane.gauges is not None and not lane.gauges.given_up


async def _listen(lane: Lane) -> None:
    assert lane.gauges is not None  # noqa: S101 - asked before
    gauges = await lane.gauges.read()
    if gauges is not None and lane.watch is not None:
        lane.watch.gauges(gauges)
