"""Writing to the embedded index."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import qdrant_edge as edge

from core.base.endpoints import SearchConfig
from core.search.edge.shard import Shard, acquire, engine_errors
from core.search.identity import BATCH, Mark, point_id, require_sound
from core.search.payload import payload_of
from core.search.prepare import Prepared


class EdgeIndex:
    """The writing side over Qdrant's embedded engine; what `put` returned from survives a kill."""

    def __init__(self, config: SearchConfig, mark: Mark) -> None:
        self._config = config
        self.shard: Shard | None = acquire(config, mark, create=True)
        self._path = self.shard.path
        self._handle = self.shard.handle
        self._dimension = mark.dimension
        self._dropped = False

    def __repr__(self) -> str:
        return f"<EdgeIndex {self._path}, {'open' if self.shard else 'closed'}>"

    def put(self, prepared: Sequence[Prepared]) -> None:
        """Insert or overwrite sentences; SearchError names a sentence whose vectors are not sound."""
        require_sound(prepared, self._dimension)
        for start in range(0, len(prepared), BATCH):
            points = [self._point(sentence) for sentence in prepared[start : start + BATCH]]
            with engine_errors(self._path):
                self._handle.update(edge.UpdateOperation.upsert_points(points))

    def drop_reviews(self, keys: Sequence[tuple[str, str]]) -> None:
        """Delete all sentences of the reviews named by (restaurant_id, review_id)."""
        by_restaurant: dict[str, list[str]] = defaultdict(list)
        for restaurant_id, review_id in keys:
            by_restaurant[restaurant_id].append(review_id)
        for restaurant_id, review_ids in by_restaurant.items():
            reviews = edge.FieldCondition(self._config.review_field, match=edge.MatchAny(review_ids))
            chosen = edge.Filter(must=[self._restaurant(restaurant_id), reviews])
            with engine_errors(self._path):
                self._handle.update(edge.UpdateOperation.delete_points_by_filter(chosen))
        self._dropped = self._dropped or bool(keys)

    def count(self, restaurant_id: str | None = None) -> int:
        """How many sentences are indexed, of one restaurant or in all."""
        chosen = None if restaurant_id is None else edge.Filter(must=[self._restaurant(restaurant_id)])
        with engine_errors(self._path):
            return int(self._handle.count(edge.CountRequest(exact=True, filter=chosen)))

    def flush(self) -> None:
        """Write segments to disk; after deletions also give their space back."""
        with engine_errors(self._path):
            if self._dropped:
                self._handle.optimize()
                self._dropped = False
            self._handle.flush()

    def close(self) -> None:
        """Flush and let go; closing twice does nothing."""
        if self.shard is not None:
            self.flush()
            self.shard.release()
            self.shard = None

    def _point(self, sentence: Prepared) -> Any:
        key = point_id(sentence.restaurant_id, sentence.review_id, sentence.position)
        sparse = edge.SparseVector(list(sentence.terms), list(sentence.terms.values()))
        vectors: dict[str, Any] = {self._config.dense: sentence.dense.tolist(), self._config.sparse: sparse}
        return edge.Point(key, vectors, payload_of(sentence, self._config))

    def _restaurant(self, restaurant_id: str) -> Any:
        return edge.FieldCondition(self._config.restaurant_field, match=edge.MatchValue(restaurant_id))
