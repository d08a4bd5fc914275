"""A run of a few restaurants over real HTTP: the real engine, driver and store; and what must hold after each."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.base.allocation import Allocation
from core.base.errors import ModelError
from core.base.records import Item, ModelReply, ModelRequest, Searcher, Usage
from core.base.views import RunView
from core.base.workload import Stage, Workload
from core.flow import Backoff, BreakerState, Budget
from core.models import HttpTransport, OpenAIModel
from core.pipeline.allocations import Allocations
from core.pipeline.control import Commands
from core.pipeline.driver import Order, RunDriver
from core.pipeline.engine import Engine
from core.pipeline.pool import Lane, Pool, Pools, single
from core.pipeline.routes import Route
from core.store import Store
from tests.faults.counting_server import PRICES, CountingServer
from tests.store.kitchen import assert_reconciles
from tests.support.fakes import FakeSearcher, reviews_workload

RUN = "run"
PARTS = ("service", "price", "food")
UNSURE = ("started", "orphaned", "cancelled")
Scene = Callable[["World", RunDriver], Awaitable[None]]
Story = dict[tuple[str, str, str], tuple[Any, ...]]


def workload_of(**stage: Any) -> Workload:
    """The three aspects and their total; changes go to both model stages."""
    plain = reviews_workload()
    return replace(plain, stages=tuple(replace(s, **stage) if s.kind == "llm" else s for s in plain.stages))


@dataclass
class Place:
    """How many calls are out at an endpoint, as its callers see it: a server notices a little late who has left."""

    in_flight: int = 0
    peak: int = 0

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1


class Witness:
    """A client that counts the calls of which the server cannot know, because nothing was sent."""

    def __init__(self, client: OpenAIModel, place: Place) -> None:
        self.client = client
        self.place = place
        self.unsent = 0

    async def complete(self, request: ModelRequest) -> ModelReply:
        try:
            with self.place.taken():
                return await self.client.complete(request)
        except ModelError as error:
            self.unsent += not error.sent
            raise

    async def aclose(self) -> None:
        await self.client.aclose()


class WatchedBudget(Budget):
    """A budget that remembers the most that was ever settled and reserved at once."""

    highest = Decimal(0)

    def reserve(self, amount: Decimal | None) -> bool:
        granted = super().reserve(amount)
        self.highest = max(self.highest, self.settled + self.reserved)
        return granted


@dataclass
class World:
    """A store with a run over `count` restaurants, and the servers it talks to. `urls`: model name -> its servers."""

    path: Path
    count: int = 3
    llm_limit: int = 4
    workload: Workload = field(default_factory=workload_of)
    searcher: Searcher = field(default_factory=FakeSearcher)
    chain: tuple[str, ...] = ("m",)
    budget: Decimal | None = None
    stream: bool = False
    places: int | None = None
    search_timeout_s: float = 10.0
    backoff: Backoff = field(default_factory=lambda: Backoff(0.02, cap_s=0.05, rng=random.Random(7)))

    def __post_init__(self) -> None:
        self.store = Store.open(self.path)
        ids = [f"r{n}" for n in range(self.count)]
        self.store.catalogue.put_items([Item(i, f"Restaurant {i}") for i in ids])
        if not self.store.runs.list():
            self.store.runs.create(RUN, "reviews", "restaurant", ids, {}, self.budget, "test")
        self.server = CountingServer()
        self.servers: Sequence[CountingServer] = (self.server,)
        self.urls: dict[str, str] = {}
        self.witnesses: list[Witness] = []
        self.out: dict[str, Place] = {}
        self.drivers: list[RunDriver] = []

    @property
    def unsent(self) -> int:
        return sum(witness.unsent for witness in self.witnesses)

    def allocate(self, stage: Stage) -> Allocation:
        return Allocation(self.chain[0], stage.max_tokens, stage.temperature, self.chain[1:])

    def driver(self, transport: HttpTransport, *, resumed: bool = False, owner: str = "here:1:a") -> RunDriver:
        """An engine and its driver, as the service makes them."""
        allocations = Allocations(self.allocate)
        engine = Engine(
            self.workload,
            pools=self._pools(transport),
            allocate=allocations,
            searcher=self.searcher,
            llm_limit=self.llm_limit,
            recorder=self.store.ledger,
            budget=WatchedBudget(self.budget),
            run_id=RUN,
            search_timeout_s=self.search_timeout_s,
        )
        engine.context.backoff = self.backoff
        driver = RunDriver(self.store, Order(RUN, owner, resumed), engine, Commands(self.store, RUN, allocations))
        self.drivers.append(driver)
        return driver

    def _pools(self, transport: HttpTransport) -> Pools:
        if len(self.servers) == 1:
            return single(lambda model: self._route(model, self.urls.get(model) or self.server.url, transport, "here"))
        lanes = [Lane(f"e{n}", limit=self.places) for n, _ in enumerate(self.servers)]
        known: dict[str, Pool] = {}

        def pool(model: str) -> Pool:
            if model not in known:
                pairs = zip(lanes, self.servers, strict=True)
                known[model] = Pool([(lane, self._route(model, s.url, transport, lane.name)) for lane, s in pairs])
            return known[model]

        return pool

    def _route(self, model: str, url: str, transport: HttpTransport, endpoint: str) -> Route:
        witness = Witness(OpenAIModel(url, transport=transport), self.out.setdefault(url, Place()))
        self.witnesses.append(witness)
        endpoint = endpoint if model not in self.urls else f"{endpoint} {model}"
        return Route(endpoint, model, witness, PRICES, self.stream)

    def play(self, scene: Scene | None = None, *, resumed: bool = False, check: bool = True) -> RunView:
        """Drive the run while a scene plays beside it, then assert that nothing leaks and every number reconciles."""
        gc.collect()  # what an earlier test left to the collector is not counted here
        before = _sockets()
        view = asyncio.run(self._play(scene, resumed))
        gc.collect()
        assert _sockets() <= before, "sockets are left open"
        if check:
            self.check()
            states = {row["state"] for resource in ("llm", "search") for row in attempts(self.store, RUN, resource)}
            assert "started" not in states, "an attempt is left open"
        return view

    async def _play(self, scene: Scene | None, resumed: bool) -> RunView:
        async with serving(self.servers):
            transport = HttpTransport()
            driver = self.driver(transport, resumed=resumed)
            try:
                running = asyncio.create_task(driver.drive())
                if scene:
                    await scene(self, driver)
                view = await running
            finally:
                await transport.aclose()
            await until(lambda: not any(server.open for server in self.servers), "connections are left open")
        await until(lambda: len(asyncio.all_tasks()) == 1, "tasks are left")
        return view

    def check(self) -> None:
        """Every invariant, with the engines of all sessions."""
        engines = [driver.engine for driver in self.drivers]
        assert_invariants(self.store, RUN, self.servers, engines=engines, unsent=self.unsent)

    def states(self) -> Counter[str]:
        """How the model calls ended."""
        return Counter(row["state"] for row in attempts(self.store, RUN))

    def flags(self, item: str, part: str = "") -> tuple[str, ...]:
        """The flags of one text."""
        return next(r.flags for r in self.store.reports.results(RUN, item) if r.part == part and r.stage != "search")


@contextlib.asynccontextmanager
async def serving(servers: Sequence[CountingServer]) -> AsyncIterator[None]:
    """Several servers, opened together and closed together."""
    async with contextlib.AsyncExitStack() as stack:
        for server in servers:
            await stack.enter_async_context(server)
        yield


async def until(true: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Wait until something is true."""
    for _ in range(int(seconds / 0.005)):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(what)


def attempts(store: Store, run_id: str, resource: str = "llm") -> list[Any]:
    """The ledger's rows."""
    sql = "SELECT * FROM attempts WHERE run_id = ? AND resource = ? ORDER BY id"
    return store._readers.all(sql, run_id, resource)


def story(store: Store, run_id: str = RUN) -> Story:
    """What a run came to, without when and at what cost: equal for runs that ended alike."""
    return {
        (r.item_id, r.stage, r.part): (r.status, r.text, r.flags, r.citations, r.evidence, r.error)
        for r in store.reports.results(run_id, limit=100_000)
    }


def assert_invariants(
    store: Store,
    run_id: str,
    server: CountingServer | Sequence[CountingServer] | None = None,
    *,
    engines: Sequence[Engine] = (),
    unsent: int = 0,
) -> None:
    """What holds after every run, however it went; `unsent` calls never reached a server, `engines` have worked on it.

    Counters, money and roll-ups reconcile; nothing is accepted or paid twice but for calls whose end nobody knows; the
    budget was kept at every admission; the servers' logs equal the ledger; no permit, place or probe is held.
    """
    assert_reconciles(store, run_id)
    _assert_once(store, run_id)
    _assert_budget(store, run_id, engines)
    if server is not None:
        _assert_logs_agree(store, run_id, [server] if isinstance(server, CountingServer) else server, unsent)
    for engine in engines:
        assert_nothing_held(engine)


def _assert_once(store: Store, run_id: str) -> None:
    rows = store._readers.all("SELECT item_id, stage, part FROM results WHERE run_id = ?", run_id)
    assert max(Counter(map(tuple, rows)).values(), default=1) == 1
    accepted = Counter(
        (row["item_id"], row["stage"], row["parts"], row["max_tokens"])
        for resource in ("llm", "search")
        for row in attempts(store, run_id, resource)
        if row["state"] == "ok"
    )
    assert max(accepted.values(), default=1) == 1, accepted.most_common(3)


def _assert_budget(store: Store, run_id: str, engines: Sequence[Engine]) -> None:
    for engine in engines:
        budget = engine.context.budget
        assert budget.reserved == 0
        if budget.limit is not None and isinstance(budget, WatchedBudget):
            assert budget.highest <= budget.limit
            assert (store.runs.view(run_id).cost_usd or 0) <= budget.limit
    for row in attempts(store, run_id):
        if row["state"] in ("orphaned", "cancelled"):
            assert row["cost_nano"] in (row["reserved_nano"], None)


def _assert_logs_agree(store: Store, run_id: str, servers: Sequence[CountingServer], unsent: int) -> None:
    rows, log = attempts(store, run_id), [entry for server in servers for entry in server.log]
    unsure = sum(row["state"] in UNSURE for row in rows)
    doubtful = sum(row["state"] == "failed" and bool(row["cost_nano"]) for row in rows)
    unread = doubtful if any(server.deaths for server in servers) else 0  # sent to a server that died before it looked
    least = len(rows) - unsure - unsent - unread
    assert least <= len(log) <= len(rows) - unsent, "the ledger misses calls, or invents them"
    charged = Counter((_key(r), r["input_tokens"], r["output_tokens"]) for r in rows if r["estimated"] == 0)
    told = Counter((entry.key, *entry.usage) for entry in log if entry.usage)
    assert charged <= told, f"charged without an answer: {charged - told}"
    assert (told - charged).total() <= unsure + doubtful, f"answers that the ledger does not know: {told - charged}"
    for row in rows:
        if row["estimated"] == 0:
            price = PRICES.cost(row["model"], Usage(row["input_tokens"], row["output_tokens"]))
            assert row["cost_nano"] == int(price * 10**9)
    answered = Counter((entry.key, entry.most) for entry in log if entry.usage)
    assert sum(count - 1 for count in answered.values()) <= unsure + doubtful, "a call was paid twice"


def _key(row: Any) -> str:
    part = row["parts"].strip('[]"')
    return f"{row['item_id']}/{part}"


def assert_nothing_held(engine: Engine) -> None:
    """No permit, no place at an endpoint, no probe, nobody in line."""
    for gate in engine.gates.values():
        assert (gate.in_flight, gate.waiting) == (0, 0), gate
    for stage in engine.context.workload.stages:
        for model in engine.context.allocate(stage).chain if stage.kind == "llm" else ():
            pool = engine.context.pool(model)
            assert pool.places is None or (pool.places.in_flight, pool.places.waiting) == (0, 0), pool
            for lane in pool.lanes:
                assert (lane.in_flight, lane.rates.waiting) == (0, 0), lane
                assert lane.breaker.state is not BreakerState.HALF_OPEN, lane


def _sockets() -> int:
    """Open sockets of this process."""
    folder = Path("/proc/self/fd")
    count = 0
    for entry in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(OSError):
            count += str(entry.readlink()).startswith("socket:")
    return count
