"""What a run talks to, opened on the runtime's loop and closed with the run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from decimal import Decimal

from core.base.endpoints import EndpointConfig
from core.base.errors import BrigadeError, ModelError, RejectedError, RunError, UnknownError
from core.base.records import Model, Searcher, Usage
from core.base.settings import Settings
from core.flow import Rates
from core.models import HttpModel, HttpTransport, Prices, open_model
from core.pipeline.pool import Lane, Pool
from core.pipeline.routes import Route
from core.practice import PracticeProcess
from core.search import check, open_searcher


@dataclass(frozen=True, slots=True)
class EndpointPricing:
    """The prices of one endpoint, as the engine asks for them."""

    prices: Prices
    endpoint: EndpointConfig

    def ceiling(self, model: str, input_tokens: int, max_tokens: int) -> Decimal | None:
        """The most a call can cost in USD."""
        return self.prices.ceiling(self.endpoint, model, input_tokens, max_tokens)

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        """What a call did cost in USD."""
        return self.prices.cost(self.endpoint, model, usage)


class PracticeServers:
    """The practice servers of this process by endpoint: started on first use, stopped with the service."""

    def __init__(self) -> None:
        self._running: dict[str, PracticeProcess] = {}
        self._one_at_a_time = threading.Lock()
        self._closed = False

    def url(self, name: str, preset: str) -> str:
        """The API base of an endpoint's server, started now if it does not run (blocking)."""
        with self._one_at_a_time:
            if self._closed:
                msg = "The service is closed; its practice servers are gone. Open a new one."
                raise RunError(msg)
            server = self._running.get(name)
            if server is None or not server.alive:
                server = self._running[name] = PracticeProcess(preset)
            return server.url

    def close(self) -> None:
        """Stop them all, for good."""
        with self._one_at_a_time:
            self._closed = True
            for server in self._running.values():
                server.stop()
            self._running.clear()


class Connections:
    """The clients of one run; an async context manager on the loop that uses them."""

    def __init__(self, settings: Settings, env: Mapping[str, str], practice: PracticeServers) -> None:
        self.settings = settings
        self._env = env
        self._practice = practice
        self._prices = Prices()
        self._stack = AsyncExitStack()
        self._clients: dict[str, Model] = {}
        self._lanes: dict[str, Lane] = {}
        self._strangers: set[str] = set()
        self._pools: dict[str, Pool] = {}
        self._transport: HttpTransport | None = None

    async def __aenter__(self) -> Connections:
        self._transport = HttpTransport()
        self._stack.push_async_callback(self._transport.aclose)
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
        """Make a model's pool ready and its servers answer; the model's name, found out when it was ''.

        Of several endpoints one that answers is enough: those that are down join when their breakers let them, those
        that answer without serving the model stay out.
        """
        found: dict[str, str] = {}
        problems: list[BrigadeError] = []
        for endpoint in self.settings.endpoints_for(model):
            started = await self._started(endpoint)
            try:
                found[started.name] = await self._confirmed(started, self._client(started), model)
            except BrigadeError as error:
                problems.append(error)
                self._strangers |= {started.name} if isinstance(error, UnknownError | RejectedError) else set()
        if not found:
            raise problems[0]
        name = next(iter(found.values()))
        self._pools[model] = self._pools[name] = self._pool_of(model, name)
        return name

    def pool(self, model: str) -> Pool:
        """The pool of a model name; one that was not prepared gets its clients now, its servers unasked."""
        found = self._pools.get(model)
        if found is None:
            found = self._pools[model] = self._pool_of(model, model)
        return found

    def _pool_of(self, model: str, name: str) -> Pool:
        serving = [e for e in self.settings.endpoints_for(model) if e.name not in self._strangers]
        endpoints = [self._with_url(endpoint) for endpoint in serving or self.settings.endpoints_for(model)]
        return Pool([(self._lane(endpoint), self._route(endpoint, name)) for endpoint in endpoints])

    def _lane(self, endpoint: EndpointConfig) -> Lane:
        """The endpoint's one lane, whatever the model."""
        lane = self._lanes.get(endpoint.name)
        if lane is None:
            rates = Rates(endpoint.rpm, endpoint.tpm, name=endpoint.name)
            lane = self._lanes[endpoint.name] = Lane(endpoint.name, limit=endpoint.limit, rates=rates)
        return lane

    def _route(self, endpoint: EndpointConfig, name: str) -> Route:
        pricing = EndpointPricing(self._prices, endpoint)
        return Route(endpoint.name, name, self._client(endpoint), pricing, endpoint.stream)

    def _with_url(self, endpoint: EndpointConfig) -> EndpointConfig:
        if endpoint.kind != "practice":
            return endpoint
        return replace(endpoint, url=self._practice.url(endpoint.name, endpoint.preset))

    async def _started(self, endpoint: EndpointConfig) -> EndpointConfig:
        return await asyncio.to_thread(self._with_url, endpoint)

    def _client(self, endpoint: EndpointConfig) -> Model:
        client = self._clients.get(endpoint.name)
        if client is None:
            assert self._transport is not None  # noqa: S101 - inside the context
            client = self._clients[endpoint.name] = open_model(endpoint, transport=self._transport, env=self._env)
            self._stack.push_async_callback(client.aclose)
        return client

    async def _confirmed(self, endpoint: EndpointConfig, client: Model, model: str) -> str:
        """Ask the server what it serves; a server without a list is trusted, a model missing from it is not."""
        if not isinstance(client, HttpModel):
            return model
        try:
            offered = await client.models()
        except RejectedError as error:
            if error.status == 404 and model:
                return model
            raise
        except ModelError as error:
            msg = f"Endpoint {endpoint.name!r} does not answer: {error}"
            raise RunError(msg) from error
        return model if model and client.serves(model, offered) else _pick(endpoint, offered, model)


def _pick(endpoint: EndpointConfig, offered: list[str], model: str) -> str:
    if model and not offered:
        return model
    if not model and offered:
        return offered[0]
    known = ", ".join(offered[:8]) or "none"
    served = f"Endpoint {endpoint.name!r} at {endpoint.url} does not serve model {model!r}"
    msg = f"{served}; it serves: {known}. Choose one with --llm-model."
    raise UnknownError(msg)
