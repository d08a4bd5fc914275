"""The two doors: writing to an index and searching it, over either backend."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Protocol

from core.base.endpoints import SearchConfig
from core.base.errors import ConfigError
from core.base.records import Searcher
from core.search.embedders import Embedder
from core.search.identity import mark_of
from core.search.prepare import Prepared


class Index(Protocol):
    """The writing side: blocking, for one thread at a time; raises only SearchErrors."""

    def put(self, prepared: Sequence[Prepared]) -> None: ...
    def drop_reviews(self, keys: Sequence[tuple[str, str]]) -> None: ...
    def count(self, restaurant_id: str | None = None) -> int: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


def open_index(
    config: SearchConfig, embedder: Embedder | tuple[str, int], env: Mapping[str, str] = os.environ
) -> Index:
    """Open for writing, creating what is missing; blocking.

    IndexMismatchError for an index of another embedder, IndexLockedError where a second process holds it.
    """
    mark = mark_of(embedder, config.whole_reviews)
    if config.backend == "edge":
        from core.search.edge.index import EdgeIndex

        return EdgeIndex(config, mark)
    if config.backend == "qdrant":
        from core.search.server.index import ServerIndex

        return ServerIndex(config, mark, env)
    raise _unknown(config)


def open_searcher(config: SearchConfig, env: Mapping[str, str] = os.environ, *, index: Index | None = None) -> Searcher:
    """A searcher; nothing is opened, connected or loaded before its first search.

    `index`: the same index, open for writing in this process: the embedded one then stays open for the searcher too.
    """
    if config.backend == "edge":
        from core.search.edge.searcher import EdgeSearcher

        return EdgeSearcher(config, env, open_now=index is not None)
    if config.backend == "qdrant":
        from core.search.server.searcher import ServerSearcher

        return ServerSearcher(config, env)
    raise _unknown(config)


def _unknown(config: SearchConfig) -> ConfigError:
    msg = f"The search backend {config.backend!r} is unknown. Use 'edge' (embedded) or 'qdrant' (a server)."
    return ConfigError(msg)
