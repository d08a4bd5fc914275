"""Writing to a Qdrant server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from qdrant_client import QdrantClient, models

from core.base.endpoints import SearchConfig
from core.search.identity import BATCH, Mark, point_id, require_sound
from core.search.payload import payload_of
from core.search.prepare import Prepared
from core.search.server.client import METADATA, connect_blocking, layout_of, place_of, require_layout, server_errors
from core.search.server.requests import of_restaurant

Connect = Callable[[SearchConfig, Mapping[str, str]], QdrantClient]


class ServerIndex:
    """The writing side over a server; every write waits until it is applied."""

    def __init__(
        self, config: SearchConfig, mark: Mark, env: Mapping[str, str], connect: Connect = connect_blocking
    ) -> None:
        self._config = config
        self._mark = mark
        self._client = connect(config, env)
        with server_errors(config):
            if not self._client.collection_exists(config.collection):
                self._create()
            layout = layout_of(self._client.get_collection(config.collection), config)
        self._has_sparse = layout.has_sparse
        require_layout(layout, mark, config)

    def __repr__(self) -> str:
        return f"<ServerIndex {place_of(self._config)}>"

    def put(self, prepared: Sequence[Prepared]) -> None:
        """Insert or overwrite sentences; SearchError names a sentence whose vectors are not sound."""
        require_sound(prepared, self._mark.dimension)
        for start in range(0, len(prepared), BATCH):
            points = [self._point(sentence) for sentence in prepared[start : start + BATCH]]
            with server_errors(self._config):
                self._client.upsert(self._config.collection, points, wait=True)

    def drop_reviews(self, keys: Sequence[tuple[str, str]]) -> None:
        """Delete all sentences of the reviews named by (restaurant_id, review_id)."""
        by_restaurant: dict[str, list[str]] = defaultdict(list)
        for restaurant_id, review_id in keys:
            by_restaurant[restaurant_id].append(review_id)
        for restaurant_id, review_ids in by_restaurant.items():
            reviews = models.FieldCondition(key=self._config.review_field, match=models.MatchAny(any=review_ids))
            chosen = models.Filter(must=[of_restaurant(self._config, restaurant_id), reviews])
            with server_errors(self._config):
                self._client.delete(self._config.collection, models.FilterSelector(filter=chosen), wait=True)

    def count(self, restaurant_id: str | None = None) -> int:
        """How many points are indexed, of one restaurant or in all."""
        chosen = restaurant_id and models.Filter(must=[of_restaurant(self._config, restaurant_id)])
        with server_errors(self._config):
            return self._client.count(self._config.collection, count_filter=chosen or None, exact=True).count

    def flush(self) -> None:
        """Nothing to do: the server has what `put` returned from."""

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _create(self) -> None:
        """A collection partitioned by restaurant, which says whose vectors it holds."""
        config = self._config
        self._client.create_collection(
            config.collection,
            vectors_config={
                config.dense: models.VectorParams(size=self._mark.dimension, distance=models.Distance.COSINE)
            },
            sparse_vectors_config={config.sparse: models.SparseVectorParams(modifier=models.Modifier.IDF)},
            metadata={METADATA: self._mark.as_dict()},
        )
        tenant = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
        self._client.create_payload_index(config.collection, config.restaurant_field, tenant, wait=True)
        keyword = models.PayloadSchemaType.KEYWORD
        self._client.create_payload_index(config.collection, config.review_field, keyword, wait=True)

    def _point(self, sentence: Prepared) -> models.PointStruct:
        vectors: dict[str, models.Vector] = {self._config.dense: sentence.dense.tolist()}
        if self._has_sparse:
            sparse = models.SparseVector(indices=list(sentence.terms), values=list(sentence.terms.values()))
            vectors[self._config.sparse] = sparse
        key = point_id(sentence.restaurant_id, sentence.review_id, sentence.position)
        return models.PointStruct(id=key, vector=vectors, payload=payload_of(sentence, self._config))
