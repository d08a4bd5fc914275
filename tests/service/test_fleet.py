"""Endpoints that are taken in, changed and drained while a run goes on; nothing is sent anywhere."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from core.base.endpoints import EndpointConfig
from core.base.errors import RunError, UnknownError
from core.base.settings import Settings, load_settings
from core.fleet import Fleet
from tests.support.fakes import FakeModel


class Client(FakeModel):
    """A model that knows whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    async def aclose(self) -> None:
        self.closed = True


class Harbour:
    """A fleet over endpoints that answer, are `down`, or are `foreign`: they serve something else."""

    def __init__(self, settings: Settings, *names: str) -> None:
        self.settings = replace(settings, endpoints=tuple(endpoint(name) for name in names))
        self.down: set[str] = set()
        self.foreign: set[str] = set()
        self.started: list[str] = []
        self.clients: dict[str, Client] = {}
        self.fleet = Fleet(self.settings, self.start, self.open)

    async def start(self, endpoint: EndpointConfig) -> EndpointConfig:
        self.started.append(endpoint.name)
        await asyncio.sleep(0)
        if endpoint.name in self.down:
            msg = f"Endpoint {endpoint.name!r} does not answer."
            raise RunError(msg)
        if endpoint.name in self.foreign:
            msg = f"Endpoint {endpoint.name!r} does not serve it."
            raise UnknownError(msg)
        return endpoint

    def open(self, endpoint: EndpointConfig) -> Client:
        self.clients[endpoint.name] = Client()
        return self.clients[endpoint.name]

    def adopt(self, *endpoints: EndpointConfig) -> None:
        self.settings = replace(self.settings, endpoints=endpoints)
        self.fleet.adopt(self.settings)

    async def closed(self) -> set[str]:
        """Which clients are closed once those that may be have been."""
        await self.fleet.close_drained()
        return {name for name, client in self.clients.items() if client.closed}

    @property
    def lanes(self) -> list[str]:
        return [lane.name for lane in self.fleet.pool("m").lanes]


def endpoint(name: str, **more: object) -> EndpointConfig:
    return EndpointConfig(name, url=f"http://{name}/v1", models=("m",), **more)  # type: ignore[arg-type]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "c.toml").write_text('model = "m"', encoding="utf-8")
    return load_settings(config=tmp_path / "c.toml", env={}, cli={}, dotenv=None)


def test_a_new_endpoint_joins_once_it_answers(settings: Settings) -> None:
    """While it is down it is asked again each time; one that serves something else is asked once."""

    async def main() -> None:
        harbour = Harbour(settings, "a")
        assert await harbour.fleet.prepare("m") == "m"
        harbour.down, harbour.foreign = {"b"}, {"c"}
        harbour.adopt(endpoint("a"), endpoint("b"), endpoint("c"))
        assert harbour.lanes == ["a"]
        assert len(await harbour.fleet.join()) == 2
        assert len(await harbour.fleet.join()) == 1
        harbour.down.clear()
        assert await harbour.fleet.join() == []
        assert harbour.lanes == ["a", "b"]
        assert harbour.fleet.pool("m").routes["b"].client is harbour.clients["b"]
        assert not list(harbour.fleet.newcomers())
        assert harbour.started == ["a", "b", "c", "b", "b"]

    asyncio.run(main())


def test_a_removed_endpoint_drains_before_it_is_closed(settings: Settings) -> None:
    """It leaves the pool at once; its client is closed when its last call has finished, and not before."""

    async def main() -> None:
        harbour = Harbour(settings, "a", "b")
        await harbour.fleet.prepare("m")
        lane = harbour.fleet.pool("m").lanes[1]
        lane.in_flight = 1
        harbour.adopt(endpoint("a"))
        assert harbour.lanes == ["a"]
        assert await harbour.closed() == set()
        lane.in_flight = 0
        assert await harbour.closed() == {"b"}
        await harbour.fleet.aclose()
        assert await harbour.closed() == {"a", "b"}

    asyncio.run(main())


def test_a_restored_endpoint_is_opened_anew(settings: Settings) -> None:
    """Removed and restored it takes calls again with a client that is open."""

    async def main() -> None:
        harbour = Harbour(settings, "a", "b")
        await harbour.fleet.prepare("m")
        before = harbour.clients["b"]
        harbour.adopt(endpoint("a"))
        await harbour.fleet.close_drained()
        harbour.adopt(endpoint("a"), endpoint("b"))
        await harbour.fleet.join()
        assert harbour.lanes == ["a", "b"]
        assert before.closed
        assert not harbour.clients["b"].closed

    asyncio.run(main())


def test_limits_and_quotas_change_on_the_lane_that_is_there(settings: Settings) -> None:
    """The lane keeps what it has learned and what is in flight; places follow."""

    async def main() -> None:
        harbour = Harbour(settings)
        harbour.settings = replace(settings, endpoints=(endpoint("a", limit=2),))
        harbour.fleet = Fleet(harbour.settings, harbour.start, harbour.open)
        await harbour.fleet.prepare("m")
        pool = harbour.fleet.pool("m")
        lane = pool.lanes[0]
        assert (lane.limit, pool.places.limit) == (2, 2)
        harbour.adopt(endpoint("a", limit=5, rpm=60))
        assert pool.lanes == [lane]
        assert (lane.limit, pool.places.limit) == (5, 5)
        lane.rates.take(1)
        assert lane.rates.wait(1) > 0.9
        harbour.adopt(endpoint("a"))
        assert lane.limit is None
        assert lane.rates.wait(1) == 0

    asyncio.run(main())


def test_another_address_is_another_server(settings: Settings) -> None:
    """Under the same name the old one drains and the new one takes over."""

    async def main() -> None:
        harbour = Harbour(settings, "a")
        await harbour.fleet.prepare("m")
        old = harbour.clients["a"]
        harbour.adopt(replace(endpoint("a"), url="http://elsewhere/v1"))
        assert harbour.lanes == []
        await harbour.fleet.join()
        await harbour.fleet.close_drained()
        assert harbour.lanes == ["a"]
        assert old.closed
        assert harbour.fleet.pool("m").routes["a"].client is harbour.clients["a"] is not old

    asyncio.run(main())


def test_an_endpoint_that_stops_listing_a_model_leaves_its_pool_only(settings: Settings) -> None:
    """It goes on serving the other one, with the same client."""

    async def main() -> None:
        both = replace(endpoint("a"), models=("m", "n"))
        harbour = Harbour(settings)
        harbour.settings = replace(settings, endpoints=(both, endpoint("b")))
        harbour.fleet = Fleet(harbour.settings, harbour.start, harbour.open)
        for model in ("m", "n"):
            await harbour.fleet.prepare(model)
        harbour.adopt(replace(both, models=("n",)), endpoint("b"))
        assert harbour.lanes == ["b"]
        assert [lane.name for lane in harbour.fleet.pool("n").lanes] == ["a"]
        await harbour.fleet.close_drained()
        assert not harbour.clients["a"].closed

    asyncio.run(main())


def test_one_removed_while_it_is_asked_does_not_join(settings: Settings) -> None:
    """The answer comes too late to matter."""

    async def main() -> None:
        harbour = Harbour(settings, "a")
        await harbour.fleet.prepare("m")
        harbour.adopt(endpoint("a"), endpoint("b"))
        joining = asyncio.create_task(harbour.fleet.join())
        await asyncio.sleep(0)
        harbour.adopt(endpoint("a"))
        await joining
        assert harbour.lanes == ["a"]

    asyncio.run(main())


def test_a_server_given_by_hand_is_joined_by_what_is_added_only(settings: Settings) -> None:
    """A configured endpoint that lists the same model stays out of it, one from the database helps."""

    async def main() -> None:
        harbour = Harbour(settings, "cli", "configured", "added")
        harbour.settings = replace(harbour.settings, sources={"endpoint.added": "database"})
        harbour.fleet = Fleet(harbour.settings, harbour.start, harbour.open)
        await harbour.fleet.prepare("m")
        await harbour.fleet.join()
        assert harbour.lanes == ["cli", "added"]

    asyncio.run(main())


def test_a_model_that_was_not_prepared_is_an_error(settings: Settings) -> None:
    """Nothing is started behind the caller's back."""
    harbour = Harbour(settings, "a")
    with pytest.raises(UnknownError, match="has not been made ready"):
        harbour.fleet.pool("m")
    assert harbour.started == []
