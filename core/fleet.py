"""The endpoints of one run: opened, asked what they serve, pooled by model, taken in and drained while it goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from core.base.endpoints import EndpointConfig
from core.base.errors import BrigadeError, ModelError, RejectedError, RunError, UnknownError
from core.base.records import Model, Usage
from core.base.settings import Settings
from core.base.stored_endpoints import DATABASE, PREFIX
from core.flow import Rates
from core.models import CallableModel, HttpModel, Prices, rent
from core.models.gauges import address_of, gauges_of
from core.pipeline.pool import Lane, Pool
from core.pipeline.routes import Route

Start = Callable[[EndpointConfig], Awaitable[EndpointConfig]]
Open = Callable[[EndpointConfig], Model]


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


@dataclass(frozen=True, slots=True)
class Berth:
    """An endpoint in use: as it is configured, as it was started, its client, and its one lane, whatever the model."""

    endpoint: EndpointConfig
    started: EndpointConfig
    client: Model
    lane: Lane

    def is_of(self, endpoint: EndpointConfig | None) -> bool:
        """Whether a configuration means this very server; its models and limits may be others."""
        return endpoint is not None and _server(endpoint) == _server(self.endpoint)


class Fleet:
    """Pools of endpoints by model. start: gives an endpoint its address, starting a server where need be; open: its
    client. It belongs to one event loop and waits for servers only in `prepare` and `join`."""

    def __init__(self, settings: Settings, start: Start, open_client: Open) -> None:
        self._settings = settings
        self._start = start
        self._open = open_client
        self._prices = Prices()
        self._berths: dict[str, Berth] = {}
        self._leaving: list[Berth] = []
        self._names: dict[str, str] = {}
        self._pools: dict[str, Pool] = {}
        self._strangers: set[tuple[str, str]] = set()

    def __repr__(self) -> str:
        return f"<Fleet {', '.join(self._berths) or 'empty'}, {len(self._leaving)} leaving>"

    @property
    def berths(self) -> tuple[Berth, ...]:
        """The endpoints in use."""
        return tuple(self._berths.values())

    def pool(self, model: str) -> Pool:
        """The pool of a model that was prepared; UnknownError for any other."""
        pool = self._pools.get(self._names.get(model, model))
        if pool is None:
            msg = f"Model {model!r} has not been made ready; the run uses {', '.join(self._pools) or 'none'}."
            raise UnknownError(msg)
        return pool

    async def prepare(self, model: str) -> str:
        """Make a model's pool ready and its servers answer; the model's name, found out when it was ''.

        Of several endpoints one that answers is enough: those that are down join when their breakers let them, those
        that answer without serving the model stay out.
        """
        found: dict[str, str] = {}
        problems: list[BrigadeError] = []
        for endpoint in self._settings.endpoints_for(model):
            try:
                found[endpoint.name] = await self._confirmed(await self._berth(endpoint), model)
            except BrigadeError as error:
                problems.append(error)
                self._strangers |= {(endpoint.name, model)} if _serves_not(error) else set()
        if not found:
            raise problems[0]
        name = self._names[model] = next(iter(found.values()))
        if name not in self._pools:
            here = [self._berths[e.name] for e in self._serving(model) if e.name in self._berths]
            self._pools[name] = Pool([(berth.lane, self._route(berth, name)) for berth in here])
        return name

    def _serving(self, model: str, name: str = "") -> list[EndpointConfig]:
        """The endpoints for a model, without those found not to serve it.

        An endpoint that an operator added and that lists the served name joins also a server given by hand.
        """
        try:
            meant = self._settings.endpoints_for(model)
        except UnknownError:
            meant = ()
        added = [e for e in self._settings.endpoints if name in e.models and e not in meant and self._is_added(e)]
        return [e for e in (*meant, *added) if not {(e.name, model), (e.name, name)} & self._strangers]

    def _is_added(self, endpoint: EndpointConfig) -> bool:
        return self._settings.sources.get(f"{PREFIX}{endpoint.name}") == DATABASE

    # While the run goes on

    def adopt(self, settings: Settings) -> None:
        """Follow changed endpoints: other limits hold at once, removed endpoints get no new calls from now on.

        New ones wait for `join`.
        """
        self._settings = settings
        self._strangers.clear()
        now = {endpoint.name: endpoint for endpoint in settings.endpoints}
        for name, berth in list(self._berths.items()):
            endpoint = now.get(name)
            if endpoint is None or not berth.is_of(endpoint):
                self._leaving.append(self._berths.pop(name))
            else:
                self._berths[name] = _retuned(berth, endpoint)
        for name, pool in self._pools.items():
            asked = [model for model, served in self._names.items() if served == name]
            self._keep(pool, {endpoint.name for model in asked for endpoint in self._serving(model, name)})

    def _keep(self, pool: Pool, names: set[str]) -> None:
        lanes = {berth.lane for berth in self._berths.values() if berth.endpoint.name in names}
        for lane in [lane for lane in pool.lanes if lane not in lanes]:
            pool.drop(lane)
        pool.resize()

    def newcomers(self) -> Iterator[tuple[str, EndpointConfig]]:
        """The endpoints that might serve a model of the run and are not in its pool: (model, endpoint)."""
        for model, name in self._names.items():
            there = {lane.name for lane in self._pools[name].lanes}
            yield from ((model, e) for e in self._serving(model, name) if e.name not in there)

    async def join(self) -> list[str]:
        """Ask the newcomers, and take in those that say they serve their model; why the others are not.

        Who does not answer is asked again the next time, who serves something else is not.
        """
        problems: list[str] = []
        for model, endpoint in list(self.newcomers()):
            name = self._names[model]
            try:
                berth = await self._berth(endpoint)
                await self._confirmed(berth, name)
            except BrigadeError as error:
                problems.append(f"Endpoint {endpoint.name} does not take calls for {name}: {error}")
                self._strangers |= {(endpoint.name, model)} if _serves_not(error) else set()
            else:
                self._take_in(model, berth)
        return problems

    def _take_in(self, model: str, berth: Berth) -> None:
        """Add an endpoint to a pool, unless it was removed while it was asked."""
        name = self._names[model]
        here = self._berths.get(berth.endpoint.name)
        still_new = (model, berth.endpoint.name) in {(m, endpoint.name) for m, endpoint in self.newcomers()}
        if here is not None and here.lane is berth.lane and still_new:
            self._pools[name].add(here.lane, self._route(here, name))

    @property
    def drained(self) -> bool:
        """Whether the last call of a removed endpoint has finished."""
        return any(berth.lane.in_flight == 0 for berth in self._leaving)

    async def close_drained(self) -> None:
        """Close the clients of removed endpoints whose last call has finished."""
        for berth in [berth for berth in self._leaving if berth.lane.in_flight == 0]:
            self._leaving.remove(berth)
            await berth.client.aclose()

    async def aclose(self) -> None:
        """Close every client."""
        berths, self._berths, left, self._leaving = self._berths, {}, self._leaving, []
        for berth in (*berths.values(), *left):
            await berth.client.aclose()

    # One endpoint

    async def _berth(self, endpoint: EndpointConfig) -> Berth:
        found = self._berths.get(endpoint.name)
        if found is not None and found.is_of(endpoint):
            return found
        started = await self._start(endpoint)
        found = self._berths.get(endpoint.name)
        if found is not None and found.is_of(endpoint):  # somebody else has opened it meanwhile
            return found
        rates = Rates(endpoint.rpm, endpoint.tpm, name=endpoint.name)
        client = self._open(started)
        address, gauges = address_of(client), gauges_of(client)
        lane = Lane(endpoint.name, limit=endpoint.limit, rates=rates, address=address, gauges=gauges)
        berth = self._berths[endpoint.name] = Berth(endpoint, started, client, lane)
        return berth

    def _route(self, berth: Berth, name: str) -> Route:
        pricing = EndpointPricing(self._prices, berth.started)
        return Route(berth.endpoint.name, name, berth.client, pricing, berth.endpoint.stream, rent(berth.endpoint))

    async def _confirmed(self, berth: Berth, model: str) -> str:
        """Ask the server what it serves; a server without a list is trusted, a model missing from it is not."""
        client, endpoint = berth.client, berth.started
        if isinstance(client, CallableModel):
            await client.load()
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


def _server(endpoint: EndpointConfig) -> EndpointConfig:
    """What of an endpoint makes it this server and no other."""
    return replace(endpoint, models=(), limit=None, rpm=None, tpm=None)


def _retuned(berth: Berth, endpoint: EndpointConfig) -> Berth:
    """The berth with other limits, where the operator changed them."""
    old = berth.endpoint
    if endpoint.limit != old.limit:
        berth.lane.most = endpoint.limit
    if (endpoint.rpm, endpoint.tpm) != (old.rpm, old.tpm):
        berth.lane.rates.retune(endpoint.rpm, endpoint.tpm)
    return replace(berth, endpoint=endpoint)


def _serves_not(error: BrigadeError) -> bool:
    """Whether a server answered, and does not serve what was asked for."""
    return isinstance(error, UnknownError | RejectedError)


def _pick(endpoint: EndpointConfig, offered: list[str], model: str) -> str:
    if model and not offered:
        return model
    if not model and offered:
        return offered[0]
    known = ", ".join(offered[:8]) or "none"
    served = f"Endpoint {endpoint.name!r} at {endpoint.url} does not serve model {model!r}"
    msg = f"{served}; it serves: {known}. Choose one with --llm-model."
    raise UnknownError(msg)
