"""Searching a Qdrant server: one request per item, whatever the number of its queries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from core.base.endpoints import SearchConfig
from core.base.records import Evidence, Query
from core.search.focus import as_evidence
from core.search.identity import mark_of
from core.search.payload import Hit
from core.search.probe import Probe
from core.search.probes import probes_of
from core.search.server.client import Layout, connect, layout_of, place_of, require_layout, server_errors
from core.search.server.requests import Requests

Connect = Callable[[SearchConfig, Mapping[str, str]], AsyncQdrantClient]
_NOT_ABOUT_THE_FORMULA = frozenset({401, 403, 404, 408, 429})


class ServerSearcher:
    """The Searcher over a server or an existing collection; its client belongs to the loop of the first search."""

    def __init__(self, config: SearchConfig, env: Mapping[str, str], connect: Connect = connect) -> None:
        self._config = config
        self._env = env
        self._connect = connect
        self._probes = probes_of(config.embedder, env)
        self._client: AsyncQdrantClient | None = None
        self._requests: Requests | None = None
        self._looking = asyncio.Lock()
        self._formula_works: bool | None = None

    def __repr__(self) -> str:
        return f"<ServerSearcher {place_of(self._config)}, {'connected' if self._client else 'not connected'}>"

    async def search(self, item_id: str, queries: Sequence[Query]) -> list[list[Evidence]]:
        """Evidence per query; an item that is not indexed gives empty lists."""
        probes = await self._probes.of(queries)
        client, requests = await self._ready()
        with server_errors(self._config):
            async with asyncio.timeout(self._config.timeout_s):
                found = await self._found(client, requests, item_id, probes)
        if not self._config.whole_reviews:
            return as_evidence(found, probes, self._config, self._probes.embedder)
        return await asyncio.to_thread(as_evidence, found, probes, self._config, self._probes.embedder)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def _found(
        self, client: AsyncQdrantClient, requests: Requests, item_id: str, probes: Sequence[Probe]
    ) -> list[list[Hit]]:
        """The server's own fusion; a server that never managed the formula is asked for both lists instead."""
        if self._formula_works is not False:
            try:
                found = await self._sent(client, requests.hybrid(item_id, probes))
            except UnexpectedResponse as exc:
                if self._formula_works or exc.status_code in _NOT_ABOUT_THE_FORMULA:
                    raise
            else:
                self._formula_works = True
                return found
        found = requests.fused(await self._sent(client, requests.separate(item_id, probes)), probes)
        self._formula_works = False
        return found

    async def _sent(self, client: AsyncQdrantClient, batch: list[models.QueryRequest]) -> list[list[Hit]]:
        replies = await client.query_batch_points(self._config.collection, batch)
        return [[(point.id, point.score, point.payload or {}) for point in reply.points] for reply in replies]

    async def _ready(self) -> tuple[AsyncQdrantClient, Requests]:
        """The client, and requests that fit the collection: looked up once."""
        async with self._looking:
            if self._client is None:
                self._client = self._connect(self._config, self._env)
            if self._requests is None:
                layout = await self._layout(self._client)
                self._requests = Requests(self._config, has_sparse=layout.has_sparse)
            return self._client, self._requests

    async def _layout(self, client: AsyncQdrantClient) -> Layout:
        embedder = await asyncio.to_thread(self._probes.embedder)
        with server_errors(self._config):
            async with asyncio.timeout(self._config.timeout_s):
                info = await client.get_collection(self._config.collection)
        layout = layout_of(info, self._config)
        require_layout(layout, mark_of(embedder, self._config.whole_reviews), self._config)
        return layout
