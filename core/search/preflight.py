"""Before a run spends anything: is the index there, does it fit, does the embedder load?"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.base.endpoints import SearchConfig
from core.base.errors import BrigadeError, ConfigError, IndexMismatchError
from core.search.embedders import Embedder, load_embedder
from core.search.identity import mark_of


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `error` is None where it is well; `detail` says what was found, or what to do."""

    name: str
    detail: str
    error: BrigadeError | None = None

    @property
    def ok(self) -> bool:
        """Whether it is well."""
        return self.error is None


async def check(config: SearchConfig, env: Mapping[str, str] = os.environ) -> list[Finding]:
    """What was found, all well; otherwise the first problem is raised: a SearchError or ConfigError."""
    findings = await examine(config, env)
    for finding in findings:
        if finding.error is not None:
            raise finding.error
    return findings


async def examine(config: SearchConfig, env: Mapping[str, str] = os.environ) -> list[Finding]:
    """Every finding, good or bad; raises nothing of ours."""
    try:
        embedder = await asyncio.to_thread(load_embedder, config.embedder, env)
    except BrigadeError as error:
        return [Finding("embedder", str(error), error)]
    loaded = Finding("embedder", f"{embedder.name}, {embedder.dimension} dimensions")
    return [loaded, *await _index_findings(config, embedder, env)]


async def _index_findings(config: SearchConfig, embedder: Embedder, env: Mapping[str, str]) -> list[Finding]:
    if config.backend == "edge":
        return [await asyncio.to_thread(found, "index", lambda: _edge(config, embedder))]
    if config.backend == "qdrant":
        return [await _server(config, embedder, env)]
    msg = f"The search backend {config.backend!r} is unknown. Use 'edge' (embedded) or 'qdrant' (a server)."
    error = ConfigError(msg)
    return [Finding("index", msg, error)]


async def _server(config: SearchConfig, embedder: Embedder, env: Mapping[str, str]) -> Finding:
    from core.search.server.look import look

    try:
        return Finding("collection", await look(config, mark_of(embedder, config.whole_reviews), env))
    except BrigadeError as error:
        return Finding("collection", str(error), error)


def found(name: str, look: Callable[[], str]) -> Finding:
    """The finding of a look that returns what it saw or raises."""
    try:
        return Finding(name, look())
    except BrigadeError as error:
        return Finding(name, str(error), error)


def _edge(config: SearchConfig, embedder: Embedder) -> str:
    from core.search.edge.index import EdgeIndex
    from core.search.edge.shard import read_mark

    if read_mark(config.path) is None:
        msg = f"There is no index at {config.path}. Import reviews first: python -m core import FILE."
        raise IndexMismatchError(msg)
    index = EdgeIndex(config, mark_of(embedder, config.whole_reviews))
    try:
        return f"{config.path}, {index.count()} points"
    finally:
        index.close()
