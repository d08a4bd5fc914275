"""Searching the embedded index: all of an item's queries as one planned batch on one worker thread."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import qdrant_edge as edge

from core.base.endpoints import SearchConfig
from core.base.records import Evidence, Query
from core.search.edge.shard import Shard, acquire, engine_errors
from core.search.focus import as_evidence
from core.search.identity import mark_of
from core.search.payload import fields_of
from core.search.probe import KEYWORD_HALF, KEYWORD_WEIGHT, RRF_K, Probe, depth_of, most_hits
from core.search.probes import probes_of


class EdgeSearcher:
    """The Searcher over Qdrant's embedded engine. One thread: the engine keeps the GIL, more would only queue."""

    def __init__(self, config: SearchConfig, env: Mapping[str, str], *, open_now: bool = False) -> None:
        self._config = config
        self._probes = probes_of(config.embedder, env)
        self._shard: Shard | None = acquire(config, None) if open_now else None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="brigade-edge")
        self._recipe = lru_cache(maxsize=256)(self._make_recipe)
        self._payload = edge.PayloadSelector.Include(fields_of(config))

    def __repr__(self) -> str:
        return f"<EdgeSearcher {self._config.path}, {'open' if self._shard else 'not open'}>"

    async def search(self, item_id: str, queries: Sequence[Query]) -> list[list[Evidence]]:
        """Evidence per query; an item that is not indexed gives empty lists."""
        probes = await self._probes.of(queries)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._search, item_id, probes)

    async def aclose(self) -> None:
        """Let the shard go; it closes when nobody else holds it."""
        await asyncio.to_thread(self._thread.shutdown)
        if self._shard is not None:
            shard, self._shard = self._shard, None
            await asyncio.to_thread(shard.release)

    def _search(self, item_id: str, probes: Sequence[Probe]) -> list[list[Evidence]]:
        shard = self._shard = self._shard or self._acquired()
        of_item = edge.Filter(must=[edge.FieldCondition(self._config.restaurant_field, match=edge.MatchValue(item_id))])
        batch = edge.QueryBatchRequest([self._request(probe, of_item) for probe in probes])
        with engine_errors(shard.path):
            found = shard.handle.query_batch(batch)
        hits = [[(point.id, point.score, point.payload) for point in points] for points in found]
        return as_evidence(hits, probes, self._config, self._probes.embedder)

    def _acquired(self) -> Shard:
        mark = mark_of(self._probes.embedder(), self._config.whole_reviews)
        return acquire(self._config, mark)

    def _request(self, probe: Probe, of_item: Any) -> Any:
        nearest, fusion = self._recipe(probe)
        depth = depth_of(probe)
        prefetches = [edge.Prefetch(query=query, limit=depth, filter=of_item) for query in nearest]
        return edge.QueryRequest(
            prefetches=prefetches, query=fusion, limit=most_hits(probe), with_payload=self._payload
        )

    def _make_recipe(self, probe: Probe) -> tuple[list[Any], Any]:
        """The prefetch queries and the fusion of a probe, built once: they don't depend on the item."""
        nearest = [edge.Query.Nearest(probe.dense, using=self._config.dense)]
        if probe.terms:
            sparse = edge.SparseVector(list(probe.terms), list(probe.terms.values()))
            nearest.append(edge.Query.Nearest(sparse, using=self._config.sparse))
        return nearest, _formula(probe) if probe.fitted else edge.Fusion.Rrf(k=RRF_K)


def _formula(probe: Probe) -> Any:
    """slope * dense + offset + weight * sparse / (sparse + half); defaults stand in for a list that lacks a point."""
    e = edge.Expression
    dense, sparse = e.Variable("$score[0]"), e.Variable("$score[1]")
    terms = [e.Mult([e.Constant(probe.slope), dense]), e.Constant(probe.offset)]
    defaults = {"$score[0]": probe.floor}
    if probe.terms:
        half = e.Div(sparse, e.Sum([sparse, e.Constant(KEYWORD_HALF)]), 0.0)
        terms.append(e.Mult([e.Constant(KEYWORD_WEIGHT), half]))
        defaults["$score[1]"] = 0.0
    return edge.Formula(e.Sum(terms), defaults)
