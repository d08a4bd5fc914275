"""What the store's settings tell a running run: allocations and endpoints, followed while it goes on.

The run's owner looks ten times a second. What needs no server holds at once; a model or an endpoint that is new to the
run is asked first, beside the run, and asked again where it does not answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from core.base.allocation import Layers, Overrides, allocation, max_concurrent
from core.base.allocation_keys import PREFIX as ALLOCATION
from core.base.allocation_keys import Stored, sound
from core.base.errors import BrigadeError
from core.base.settings import Settings
from core.base.stored_endpoints import PREFIX as ENDPOINT
from core.base.stored_endpoints import placed, settings_now
from core.connections import Connections
from core.pipeline.allocations import Allocations
from core.pipeline.engine import Engine
from core.store import Store

log = logging.getLogger(__name__)

AGAIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Told:
    """What the settings in the store say, by their names."""

    allocation: Stored = field(default_factory=dict)
    endpoints: Stored = field(default_factory=dict)

    def sound_allocation(self) -> dict[str, str]:
        """The allocations that can be used; what is wrong with the others goes to the log."""
        good, problems = sound(self.allocation)
        for problem in problems:
            log.warning("%s", problem)
        return good


@dataclass(frozen=True, slots=True)
class Notices:
    """The settings in the store, beside those that the program was started with."""

    store: Store
    settings: Settings
    env: Mapping[str, str]

    def read(self) -> Told:
        """What the store's say now (blocking; a few dozen rows)."""
        return Told(self.store.settings.all(ALLOCATION), self.store.settings.all(ENDPOINT))

    def settings_now(self, told: Told) -> Settings:
        """The settings with the endpoints of this moment; what is wrong with a row goes to the log."""
        for one in placed(self.settings, told.endpoints, self.env) if told.endpoints else ():
            if one.problem:
                log.warning("%s It is ignored.", one.problem)
        return settings_now(self.settings, told.endpoints, self.env)


class Directions:
    """Follows the settings for one run: `layers` and `allocations` say what its stages use, `fleet` where."""

    def __init__(
        self, notices: Notices, told: Told, layers: Layers, overrides: Overrides, connections: Connections
    ) -> None:
        self.notices = notices
        self.layers = layers
        self.fleet = connections.fleet
        self.allocations = Allocations(lambda stage: allocation(self.layers, stage), overrides, connections.prepare)
        self._told = told
        self._asking: asyncio.Task[None] | None = None
        self._next = 0.0
        self._said: set[str] = set()

    def __repr__(self) -> str:
        return f"<Directions {self.allocations!r} {self.fleet!r}>"

    def look(self) -> Told:
        """What the settings say now (blocking)."""
        return self.notices.read()

    def follow(self, engine: Engine, told: Told) -> None:
        """Obey what has changed since the last look."""
        if told != self._told:
            self._turn(engine, told)
        if self._behind() and engine.clock.monotonic() >= self._next and (not self._asking or self._asking.done()):
            self._asking = asyncio.create_task(self._catch_up(engine))

    def _turn(self, engine: Engine, told: Told) -> None:
        if told.endpoints != self._told.endpoints:
            self.layers = replace(self.layers, settings=self.notices.settings_now(told))
            self.fleet.adopt(self.layers.settings)
        if told.allocation != self._told.allocation:
            self.layers = replace(self.layers, database=told.sound_allocation())
            self.allocations.refresh()
        self._told = told
        self._next = 0.0
        self._said.clear()
        self._apply(engine)

    def _apply(self, engine: Engine) -> None:
        engine.reallocate()
        engine.cap(max_concurrent(self.layers))

    def _behind(self) -> bool:
        """Whether there is something to ask a server, or a client to close."""
        return bool(self.allocations.missing()) or any(self.fleet.newcomers()) or self.fleet.drained

    async def _catch_up(self, engine: Engine) -> None:
        """Make ready what the stages wait for, take newcomers in, let go of what has drained."""
        for model in self.allocations.missing():
            try:
                await self.allocations.make_ready(model)
            except BrigadeError as error:
                self._say(f"Model {model} is not used yet: {error}")
        self._apply(engine)
        for problem in await self.fleet.join():
            self._say(problem)
        await self.fleet.close_drained()
        self._next = engine.clock.monotonic() + AGAIN_S

    def _say(self, problem: str) -> None:
        """Tell the log once, however often it is tried."""
        if problem not in self._said:
            self._said.add(problem)
            log.warning("%s", problem)

    async def aclose(self) -> None:
        """Ask nobody any more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
