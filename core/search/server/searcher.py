"""Searching a Qdrant server: one request per item, whatever the number of its queries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from qdrant_client import AsyncQdrantClient, models

from core.base.endpoints import SearchConfig
from core.base.records import Evidence, Query
from core.search.identity import mark_of
from core.search.payload import evidence_of, fields_of
from core.search.probe import KEYWORD_HALF, KEYWORD_WEIGHT, RRF_K, Probe, depth_of
from core.search.probes import probes_of
from core.search.server.client import Layout, connect, layout_of, place_of, require_layout, server_errors
from core.search.server.index import of_restaurant

Connect = Callable[[SearchConfig, Mapping[str, str]], AsyncQdrantClient]
Recipe = tuple[list[tuple[models.Query, str]], models.Query]


class ServerSearcher:
    """The Searcher over a server or an existing collection; its client belongs to the loop of the first search."""

    def __init__(self, config: SearchConfig, env: Mapping[str, str], connect: Connect = connect) -> None:
        self._config = config
        self._env = env
        self._connect = connect
        self._probes = probes_of(config.embedder, env)
        self._client: AsyncQdrantClient | None = None
        self._layout: Layout | None = None
        self._looking = asyncio.Lock()
        self._recipe = lru_cache(maxsize=256)(self._make_recipe)
        self._payload = fields_of(config)

    def __repr__(self) -> str:
        return f"<ServerSearcher {place_of(self._config)}, {'connected' if self._client else 'not connected'}>"

    async def search(self, item_id: str, queries: Sequence[Query]) -> list[list[Evidence]]:
        """Evidence per query; an item that is not indexed gives empty lists."""
        probes = await self._probes.of(queries)
        client, layout = await self._ready()
        of_item = of_restaurant(self._config, item_id)
        requests = [self._request(probe, of_item, layout) for probe in probes]
        with server_errors(self._config):
            async with asyncio.timeout(self._config.timeout_s):
                replies = await client.query_batch_points(self._config.collection, requests)
        return [
            evidence_of([(p.id, p.score, p.payload or {}) for p in reply.points], probe, self._config)
            for reply, probe in zip(replies, probes, strict=True)
        ]

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def _ready(self) -> tuple[AsyncQdrantClient, Layout]:
        """The client and the collection's layout, looked up once."""
        async with self._looking:
            if self._client is None:
                self._client = self._connect(self._config, self._env)
            if self._layout is None:
                self._layout = await self._look(self._client)
            return self._client, self._layout

    async def _look(self, client: AsyncQdrantClient) -> Layout:
        embedder = await asyncio.to_thread(self._probes.embedder)
        with server_errors(self._config):
            async with asyncio.timeout(self._config.timeout_s):
                info = await client.get_collection(self._config.collection)
        layout = layout_of(info, self._config)
        require_layout(layout, mark_of(embedder, self._config.whole_reviews), self._config)
        return layout

    def _request(self, probe: Probe, of_item: models.Filter, layout: Layout) -> models.QueryRequest:
        nearest, fusion = self._recipe(probe, layout.has_sparse)
        depth = depth_of(probe)
        prefetches = [models.Prefetch(query=q, using=using, limit=depth, filter=of_item) for q, using in nearest]
        limit = 2 * probe.query.limit
        return models.QueryRequest(prefetch=prefetches, query=fusion, limit=limit, with_payload=self._payload)

    def _make_recipe(self, probe: Probe, has_sparse: bool) -> Recipe:
        """The prefetch queries and the fusion of a probe, built once: they don't depend on the item."""
        nearest: list[tuple[models.Query, str]] = [(models.NearestQuery(nearest=probe.dense), self._config.dense)]
        if has_sparse and probe.terms:
            sparse = models.SparseVector(indices=list(probe.terms), values=list(probe.terms.values()))
            nearest.append((models.NearestQuery(nearest=sparse), self._config.sparse))
        if probe.fitted:
            return nearest, _formula(probe, len(nearest) > 1)
        return nearest, models.RrfQuery(rrf=models.Rrf(k=RRF_K))


def _formula(probe: Probe, has_sparse: bool) -> models.FormulaQuery:
    """slope * dense + offset + weight * sparse / (sparse + half); defaults stand in for a list that lacks a point."""
    terms: list[models.Expression] = [models.MultExpression(mult=[probe.slope, "$score[0]"]), probe.offset]
    defaults: dict[str, float] = {"$score[0]": probe.floor}
    if has_sparse:
        under = models.SumExpression(sum=["$score[1]", KEYWORD_HALF])
        half = models.DivParams(left="$score[1]", right=under, by_zero_default=0.0)
        terms.append(models.MultExpression(mult=[KEYWORD_WEIGHT, models.DivExpression(div=half)]))
        defaults["$score[1]"] = 0.0
    return models.FormulaQuery(formula=models.SumExpression(sum=terms), defaults=defaults)
