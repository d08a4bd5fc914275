"""Reaching a Qdrant server: clients, what a collection looks like, and errors with a way out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from qdrant_client import AsyncQdrantClient, QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from core.base.endpoints import SearchConfig
from core.base.errors import ConfigError, IndexMismatchError, SearchError, SearchUnavailableError
from core.search.identity import Mark, require_same

METADATA = "brigade"
_USER_INFO = re.compile(r"(?<=://)[^/@]+@")


def connect(config: SearchConfig, env: Mapping[str, str]) -> AsyncQdrantClient:
    """A client of the running loop; nothing is sent yet."""
    return AsyncQdrantClient(**_arguments(config, env))


def connect_blocking(config: SearchConfig, env: Mapping[str, str]) -> QdrantClient:
    """A client for one thread; nothing is sent yet."""
    return QdrantClient(**_arguments(config, env))


def _arguments(config: SearchConfig, env: Mapping[str, str]) -> dict[str, Any]:
    if not config.url:
        msg = "The search backend is 'qdrant', but no server is named. Set QDRANT_URL or --qdrant-url."
        raise ConfigError(msg)
    key = env.get(config.key_env) if config.key_env else None
    return {
        "url": config.url,
        "api_key": key,
        "timeout": max(1, round(config.timeout_s)),
        "check_compatibility": False,  # it would send a request from the constructor
        "limits": httpx.Limits(max_keepalive_connections=64),  # the client's own default keeps none to localhost
    }


def place_of(config: SearchConfig) -> str:
    """How messages name the collection: without credentials."""
    return f"collection {config.collection!r} at {_USER_INFO.sub('', config.url or 'the server')}"


@dataclass(frozen=True, slots=True)
class Layout:
    """A collection as the server describes it. `mark` is None where it was not made by us."""

    dense: int
    has_sparse: bool
    points: int
    tenant_indexed: bool
    mark: Mark | None


def layout_of(info: models.CollectionInfo, config: SearchConfig) -> Layout:
    """Read a collection's description; IndexMismatchError where the configured vector is missing."""
    vectors, sparse = info.config.params.vectors, info.config.params.sparse_vectors or {}
    named = vectors if isinstance(vectors, dict) else {"": vectors} if vectors else {}
    if config.dense not in named:
        msg = (
            f"The {place_of(config)} has no vector {config.dense!r}; it has: {', '.join(map(repr, named)) or 'none'}. "
            "Set search.dense to one of them."
        )
        raise IndexMismatchError(msg)
    held = (getattr(info.config, "metadata", None) or {}).get(METADATA)
    mark = Mark(**held) if held else None
    indexed = config.restaurant_field in (info.payload_schema or {})
    return Layout(named[config.dense].size, config.sparse in sparse, info.points_count or 0, indexed, mark)


def require_layout(layout: Layout, wanted: Mark, config: SearchConfig) -> None:
    """IndexMismatchError where the collection's vectors are not the wanted embedder's, or not of its size."""
    if layout.mark is not None:
        require_same(layout.mark, wanted, place_of(config))
    if layout.dense != wanted.dimension:
        msg = (
            f"Vector {config.dense!r} of the {place_of(config)} has {layout.dense} dimensions, but embedder "
            f"{wanted.embedder!r} makes {wanted.dimension}. Set the embedder the collection was made with."
        )
        raise IndexMismatchError(msg)


@contextmanager
def server_errors(config: SearchConfig) -> Iterator[None]:
    """Turn the client's exceptions into SearchErrors that say what to do."""
    try:
        yield
    except UnexpectedResponse as exc:
        raise _answered(exc, config) from exc
    except (ResponseHandlingException, httpx.HTTPError, TimeoutError, OSError) as exc:
        what = type(getattr(exc, "source", exc)).__name__
        msg = f"The Qdrant server of {place_of(config)} does not answer ({what}). Is it running and reachable?"
        raise SearchUnavailableError(msg) from exc


def _answered(exc: UnexpectedResponse, config: SearchConfig) -> SearchError:
    status, body = exc.status_code or 0, exc.content[:300].decode("utf-8", "replace")
    if status == 404:
        return missing(config)
    if status in {401, 403}:
        msg = f"The Qdrant server refuses the key ({status}) for {place_of(config)}. Check ${config.key_env}."
        return SearchError(msg)
    if status in {408, 429} or status >= 500:
        return SearchUnavailableError(f"The Qdrant server answered {status} for {place_of(config)}. Try again later.")
    msg = f"The Qdrant server rejects the request ({status}) for {place_of(config)}: {body}. Check names and vectors."
    return IndexMismatchError(msg)


def missing(config: SearchConfig) -> IndexMismatchError:
    """There is no such collection."""
    msg = f"There is no {place_of(config)}. Import reviews into it, or set search.collection to the one you have."
    return IndexMismatchError(msg)
