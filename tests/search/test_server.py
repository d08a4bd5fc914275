"""The server backend over real HTTP: one request per item, faults, and collections that others made."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from typing import Any

import pytest
from qdrant_client import QdrantClient, models

from core.base.endpoints import SearchConfig
from core.base.errors import ConfigError, IndexMismatchError, SearchError, SearchUnavailableError
from core.base.records import Evidence, Query
from core.search import check, examine, open_index, open_searcher, prepare
from core.search.terms import sparse_terms
from tests.search.conftest import HASH, Backend, asking, review
from tests.support.qdrant_facade import Facade, serving

REVIEWS = (review("cafe", 1, "The waiter was friendly. The soup was cold."), review("bar", 2, "Nobody was friendly."))
QUERIES = (asking("service", ["friendly waiter"]), asking("food", ["cold soup"]), asking("price", ["cheap soup"]))


def found_by(
    config: SearchConfig, item: str, *queries: Query, env: dict[str, str] | None = None
) -> list[list[Evidence]]:
    async def once() -> list[list[Evidence]]:
        searcher = open_searcher(config, env or {})
        try:
            return await searcher.search(item, queries)
        finally:
            await searcher.aclose()

    return asyncio.run(once())


def test_one_request_per_item(http: Backend, facade: Facade) -> None:
    """Three queries are one batched request; the collection is described once per searcher."""
    http.filled(*REVIEWS).close()
    facade.requests.clear()

    async def twice() -> None:
        searcher = http.searcher()
        for item in ("cafe", "bar"):
            await searcher.search(item, QUERIES)
        await searcher.aclose()

    asyncio.run(twice())
    base = f"/collections/{http.config.collection}"
    assert facade.requests == [("GET", base), *[("POST", f"{base}/points/query/batch")] * 2]


@pytest.mark.parametrize("contrast", [("the weather was grey",), ()])
def test_a_server_without_formulas_gives_the_same(http: Backend, facade: Facade, contrast: tuple[str, ...]) -> None:
    """A server that rejects the formula is asked for plain candidates, and our own fusion scores them equally."""
    http.filled(*REVIEWS).close()
    queries = [replace(query, contrast=contrast) for query in QUERIES]
    expected = http.search("cafe", *queries)

    async def rejected_once() -> list[list[Evidence]]:
        searcher = http.searcher()
        await searcher.search("cafe", [])
        searcher._formula_works = None  # type: ignore[attr-defined]
        facade.failures.append(400)
        first = await searcher.search("cafe", queries)
        facade.requests.clear()
        assert await searcher.search("cafe", queries) == first
        assert len(facade.requests) == 1
        await searcher.aclose()
        return first

    for mine, theirs in zip(asyncio.run(rejected_once()), expected, strict=True):
        assert {(e.text, round(e.score, 3)) for e in mine} == {(e.text, round(e.score, 3)) for e in theirs}


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (401, SearchError, "QDRANT_API_KEY"),
        (403, SearchError, "QDRANT_API_KEY"),
        (404, IndexMismatchError, "Import reviews"),
        (429, SearchUnavailableError, "429"),
        (503, SearchUnavailableError, "503"),
    ],
)
def test_answers_with_an_error(http: Backend, facade: Facade, status: int, error: type[SearchError], says: str) -> None:
    """Each refusal of the server becomes the error that tells the engine whether another try may help."""
    http.filled(*REVIEWS).close()
    facade.failures.append(status)
    with pytest.raises(error, match=says):
        http.search("cafe", *QUERIES)


def test_nobody_listens() -> None:
    """A refused connection is worth another try, and names the server."""
    with pytest.raises(SearchUnavailableError, match=r"127\.0\.0\.1:1"):
        found_by(SearchConfig(backend="qdrant", url="http://127.0.0.1:1", embedder="hash"), "cafe", *QUERIES)


def test_silence_ends_at_the_deadline() -> None:
    """A server that accepts and says nothing is given up after `timeout_s`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = SearchConfig(backend="qdrant", url=url, embedder="hash", timeout_s=0.05)
        with pytest.raises(SearchUnavailableError, match="does not answer"):
            found_by(config, "cafe", *QUERIES)


def test_no_url_is_a_setting_missing() -> None:
    """The server backend without a server says which setting to give."""
    with pytest.raises(ConfigError, match="QDRANT_URL"):
        open_index(SearchConfig(backend="qdrant", embedder="hash"), HASH, {})


def test_credentials_stay_out_of_messages() -> None:
    """User and password of a URL are not repeated."""
    config = SearchConfig(backend="qdrant", url="http://me:secret@127.0.0.1:1", embedder="hash")
    with pytest.raises(SearchUnavailableError) as caught:
        found_by(config, "cafe", *QUERIES)
    assert "secret" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_the_key_comes_from_the_named_variable() -> None:
    """The key is read from the variable that the configuration names."""
    with serving(api_key="k3y") as facade:
        config = SearchConfig(backend="qdrant", url=facade.url, embedder="hash", key_env="MY_KEY")
        index = open_index(config, HASH, {"MY_KEY": "k3y"})
        index.put(prepare(REVIEWS, HASH))
        index.close()
        assert found_by(config, "cafe", *QUERIES, env={"MY_KEY": "k3y"})[0]
        with pytest.raises(SearchError, match=r"\$MY_KEY"):
            found_by(config, "cafe", *QUERIES)


def foreign(facade: Facade, name: str, *, sparse: bool) -> SearchConfig:
    """A collection somebody else made: whole reviews, other names, numbers for restaurants."""
    client: QdrantClient = facade.local
    client.create_collection(
        name,
        vectors_config={"text": models.VectorParams(size=HASH.dimension, distance=models.Distance.COSINE)},
        sparse_vectors_config={"words": models.SparseVectorParams(modifier=models.Modifier.IDF)} if sparse else None,
    )
    texts = ["The waiter was friendly and the soup was cold.", "Cheap beer.", "Loud music all night."]
    for number, text in enumerate(texts):
        vector: dict[str, Any] = {"text": HASH.documents([text])[0].tolist()}
        if sparse:
            terms = sparse_terms(text)
            vector["words"] = models.SparseVector(indices=list(terms), values=list(terms.values()))
        payload = {"shop": 77, "id": 1000 + number, "body": text, "rating": "4"}
        client.upsert(name, [models.PointStruct(id=number, vector=vector, payload=payload)])
    names = {"dense": "text", "sparse": "words", "restaurant_field": "shop", "review_field": "id", "text_field": "body"}
    return SearchConfig(backend="qdrant", url=facade.url, collection=name, embedder="hash", whole_reviews=True, **names)


@pytest.mark.parametrize("sparse", [True, False])
def test_an_existing_collection_of_whole_reviews(facade: Facade, sparse: bool) -> None:
    """A collection with other names, numeric ids, whole reviews and perhaps no sparse vectors works as it is."""
    config = foreign(facade, f"theirs-{sparse}", sparse=sparse)
    [found] = found_by(config, "77", QUERIES[0])
    assert found[0].review_id == "1000"
    assert "waiter was friendly" in found[0].text
    assert found[0].rating == 4.0
    [finding] = [f for f in asyncio.run(check(config, {})) if f.name == "collection"]
    assert ("searching by meaning only" in finding.detail) is not sparse


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"collection": "nowhere"}, "There is no collection 'nowhere'"),
        ({"dense": "wrong"}, "no vector 'wrong'; it has: 'text'"),
        ({"embedder": "use"}, "256 dimensions, but embedder 'use' makes 512"),
    ],
)
def test_what_does_not_fit_is_found_before_the_run(facade: Facade, change: dict[str, str], says: str) -> None:
    """The preflight refuses a missing collection, a wrong vector name and a wrong size, and says what there is."""
    if not facade.local.collection_exists("fits"):
        foreign(facade, "fits", sparse=False)
    fits = SearchConfig(backend="qdrant", url=facade.url, collection="fits", dense="text", embedder="hash")
    with pytest.raises(IndexMismatchError, match=says):
        asyncio.run(check(replace(fits, **change), {}))  # type: ignore[arg-type]


def test_every_finding_at_once(http: Backend) -> None:
    """`examine` lists what is well and what is not, and raises nothing."""
    findings = asyncio.run(examine(http.config, {}))
    assert [(f.name, f.ok) for f in findings] == [("embedder", True), ("collection", False)]
    [finding] = asyncio.run(examine(replace(http.config, embedder="nonsense"), {}))
    assert isinstance(finding.error, ConfigError)
