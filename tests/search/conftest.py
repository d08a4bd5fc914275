"""One index and searcher per backend, all with the `hash` embedder so that a test takes milliseconds."""

from __future__ import annotations

import asyncio
import os
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from qdrant_client import AsyncQdrantClient, QdrantClient

from core.base.endpoints import SearchConfig
from core.base.records import Evidence, Query, Review, Searcher
from core.search import Embedder, Index, load_embedder, open_index, open_searcher, prepare
from core.search.identity import mark_of
from core.search.server.index import ServerIndex
from core.search.server.searcher import ServerSearcher
from tests.support.qdrant_facade import Facade, serving

HASH = load_embedder("hash", {})


@dataclass
class Backend:
    """A backend under test: its configuration and the two doors."""

    name: str
    config: SearchConfig
    index: Callable[[Embedder | tuple[str, int]], Index]
    searcher: Callable[[], Searcher]
    facade: Facade | None = None

    def filled(self, *reviews: Review) -> Index:
        """An index that holds these reviews."""
        index = self.index(HASH)
        index.put(prepare(reviews, HASH))
        return index

    def search(self, item_id: str, *queries: Query) -> list[list[Evidence]]:
        """One search with a searcher of its own."""

        async def once() -> list[list[Evidence]]:
            searcher = self.searcher()
            try:
                return await searcher.search(item_id, queries)
            finally:
                await searcher.aclose()

        return asyncio.run(once())


def review(restaurant: str, number: int | str, text: str, **columns: object) -> Review:
    """A review with a short id."""
    return Review(restaurant, restaurant.upper(), f"v{number}", text, **columns)  # type: ignore[arg-type]


def asking(part: str, phrasings: Sequence[str], **rest: object) -> Query:
    """A query with one contrast unless told otherwise."""
    given = {"contrast": ("the weather was grey",), "keywords": tuple(phrasings[0].split())} | rest
    return Query(part, tuple(phrasings), **given)  # type: ignore[arg-type]


def edge_backend(folder: Path) -> Backend:
    """The embedded engine in a folder."""
    config = SearchConfig(path=folder / "index", embedder="hash")
    return Backend("edge", config, lambda e: open_index(config, e, {}), lambda: open_searcher(config, {}))


def local_backend() -> Backend:
    """qdrant-client's local mode behind the server code: an oracle, never a product backend."""
    config = SearchConfig(backend="qdrant", url="http://local", embedder="hash")
    blocking, client = QdrantClient(":memory:"), AsyncQdrantClient(":memory:")
    client._client.collections = blocking._client.collections  # type: ignore[attr-defined]

    def kept(_: float | None = None) -> None:
        """Closing the local client would empty it."""

    blocking.close = kept  # type: ignore[method-assign, assignment]

    async def stays() -> None:
        kept()

    client.close = stays  # type: ignore[method-assign, assignment]
    return Backend(
        "local",
        config,
        lambda e: ServerIndex(config, mark_of(e, config.whole_reviews), {}, connect=lambda *_: blocking),
        lambda: ServerSearcher(config, {}, connect=lambda *_: client),
    )


def http_backend(url: str, facade: Facade | None, name: str = "http") -> Backend:
    """A server reached over HTTP."""
    config = SearchConfig(backend="qdrant", url=url, embedder="hash", collection=f"test-{uuid.uuid4().hex[:8]}")
    env = dict(os.environ) if facade is None else {}
    return Backend(name, config, lambda e: open_index(config, e, env), lambda: open_searcher(config, env), facade)


@pytest.fixture(autouse=True)
def _no_local_index_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Payload indexes have no effect")
        yield


@pytest.fixture(scope="session")
def facade() -> Iterator[Facade]:
    """One facade for the session; each backend on it has its own collection."""
    with serving() as running:
        yield running


@pytest.fixture(params=["edge", "local", "http", "server"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """Each backend in turn; a real server where QDRANT_URL is set."""
    if request.param == "edge":
        yield edge_backend(tmp_path)
    elif request.param == "local":
        yield local_backend()
    elif request.param == "http":
        running = request.getfixturevalue("facade")
        yield http_backend(running.url, running)
    else:
        url = os.environ.get("QDRANT_URL")
        if not url:
            pytest.skip("QDRANT_URL is not set")
        made = http_backend(url, None, "server")
        yield made
        QdrantClient(url, api_key=os.environ.get("QDRANT_API_KEY")).delete_collection(made.config.collection)


@pytest.fixture
def edge(tmp_path: Path) -> Backend:
    """The embedded engine alone."""
    return edge_backend(tmp_path)


@pytest.fixture
def http(facade: Facade) -> Iterator[Backend]:
    """The server code over HTTP alone."""
    yield http_backend(facade.url, facade)
    facade.failures.clear()
