"""What a run talks to, opened on the runtime's loop and closed with the run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from decimal import Decimal

from core.base.endpoints import EndpointConfig
from core.base.errors import ModelError, RejectedError, RunError, UnknownError
from core.base.records import Model, Searcher, Usage
from core.base.settings import Settings
from core.models import HttpTransport, OpenAIModel, Prices, open_model
from core.pipeline.context import Route
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
    """The practice servers of this process by preset: started on first use, stopped with the service."""

    def __init__(self) -> None:
        self._running: dict[str, PracticeProcess] = {}

    def url(self, preset: str) -> str:
        """The API base of the server of that preset, started now if it does not run (blocking)."""
        server = self._running.get(preset)
        if server is None or not server.alive:
            server = self._running[preset] = PracticeProcess(preset)
        return server.url

    def close(self) -> None:
        """Stop them all."""
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
        self._routes: dict[str, Route] = {}
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
        """Make a model's route ready and its server answer; the model's name, found out when it was ''."""
        endpoint = await self._started(self.settings.endpoint_for(model))
        client = self._client(endpoint)
        name = await self._confirmed(endpoint, client, model)
        route = Route(endpoint.name, name, client, EndpointPricing(self._prices, endpoint), endpoint.stream)
        self._routes[model] = self._routes[name] = route
        return name

    def route(self, model: str) -> Route:
        """The route of a model name; one that was not prepared gets a client now, its server unasked."""
        route = self._routes.get(model)
        if route is None:
            endpoint = self.settings.endpoint_for(model)
            if endpoint.kind == "practice":
                endpoint = replace(endpoint, url=self._practice.url(endpoint.preset))
            pricing = EndpointPricing(self._prices, endpoint)
            route = self._routes[model] = Route(endpoint.name, model, self._client(endpoint), pricing, endpoint.stream)
        return route

    async def _started(self, endpoint: EndpointConfig) -> EndpointConfig:
        if endpoint.kind != "practice":
            return endpoint
        return replace(endpoint, url=await asyncio.to_thread(self._practice.url, endpoint.preset))

    def _client(self, endpoint: EndpointConfig) -> Model:
        client = self._clients.get(endpoint.name)
        if client is None:
            assert self._transport is not None  # noqa: S101 - inside the context
            client = self._clients[endpoint.name] = open_model(endpoint, transport=self._transport, env=self._env)
            self._stack.push_async_callback(client.aclose)
        return client

    async def _confirmed(self, endpoint: EndpointConfig, client: Model, model: str) -> str:
        """Ask the server what it serves; a server without a list is trusted, a model missing from it is not."""
        if not isinstance(client, OpenAIModel):
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
        return _pick(endpoint, offered, model)


def _pick(endpoint: EndpointConfig, offered: list[str], model: str) -> str:
    if model and (not offered or model in offered):
        return model
    if not model and offered:
        return offered[0]
    known = ", ".join(offered[:8]) or "none"
    served = f"Endpoint {endpoint.name!r} at {endpoint.url} does not serve model {model!r}"
    msg = f"{served}; it serves: {known}. Choose one with --llm-model."
    raise UnknownError(msg)
