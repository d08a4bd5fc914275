"""What a run talks to, opened on the runtime's loop and closed with the run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

from core.base.endpoints import EndpointConfig
from core.base.errors import RunError
from core.base.records import Model, Searcher
from core.base.settings import Settings
from core.fleet import Fleet
from core.models import HttpTransport, open_model
from core.models.discovery import Discovery, WarmUp, discover, warm_up
from core.models.room import connection_room
from core.pipeline.pool import Pool
from core.practice import PracticeProcess
from core.search import check, open_searcher


class PracticeServers:
    """The practice servers of this process by endpoint: started on first use, stopped with the service."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], PracticeProcess] = {}
        self._one_at_a_time = threading.Lock()
        self._closed = False

    def url(self, name: str, preset: str) -> str:
        """The API base of an endpoint's server, started now if it does not run (blocking)."""
        with self._one_at_a_time:
            if self._closed:
                msg = "The service is closed; its practice servers are gone. Open a new one."
                raise RunError(msg)
            server = self._running.get((name, preset))
            if server is None or not server.alive:
                server = self._running[name, preset] = PracticeProcess(preset)
            return server.url

    def close(self) -> None:
        """Stop them all, for good."""
        with self._one_at_a_time:
            self._closed = True
            for server in self._running.values():
                server.stop()
            self._running.clear()


class Connections:
    """The clients of one run; an async context manager on the loop that uses them. `fleet` holds its endpoints."""

    def __init__(self, settings: Settings, env: Mapping[str, str], practice: PracticeServers) -> None:
        self.settings = settings
        self.fleet = Fleet(settings, self._started, self._client)
        self._env = env
        self._practice = practice
        self._stack = AsyncExitStack()
        self._transport: HttpTransport | None = None

    async def __aenter__(self) -> Connections:
        self._transport = HttpTransport(max_connections=connection_room())
        self._stack.push_async_callback(self._transport.aclose)
        self._stack.push_async_callback(self.fleet.aclose)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def searcher(self) -> Searcher:
        """The searcher of the configuration, checked first: SearchError says what to do."""
        await check(self.settings.search, self._env)
        searcher = open_searcher(self.settings.search, self._env)
        self._stack.push_async_callback(searcher.aclose)
        return searcher

    async def prepare(self, model: str) -> str:
        """Make a model ready; its name, found out when it was ''."""
        return await self.fleet.prepare(model)

    def pool(self, model: str) -> Pool:
        """The pool of a model that was made ready."""
        return self.fleet.pool(model)

    async def discover(self, endpoint: EndpointConfig) -> Discovery:
        """What an endpoint says that it serves."""
        assert self._transport is not None  # noqa: S101 - inside the context
        return await discover(await self._started(endpoint), self._env, self._transport)

    async def warm_up(self, endpoint: EndpointConfig, model: str) -> WarmUp:
        """One real call of a few tokens, which is paid for like any other."""
        assert self._transport is not None  # noqa: S101 - inside the context
        return await warm_up(await self._started(endpoint), model, self._env, self._transport)

    async def _started(self, endpoint: EndpointConfig) -> EndpointConfig:
        """The endpoint with its address; a practice server is started in a thread, for that takes a moment."""
        if endpoint.kind != "practice":
            return endpoint
        return replace(endpoint, url=await asyncio.to_thread(self._practice.url, endpoint.name, endpoint.preset))

    def _client(self, endpoint: EndpointConfig) -> Model:
        assert self._transport is not None  # noqa: S101 - inside the context
        return open_model(endpoint, transport=self._transport, env=self._env)
