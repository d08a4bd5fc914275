"""What is asked of a Qdrant server: dense and sparse candidates of one restaurant, fused there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from qdrant_client import models

from core.base.endpoints import SearchConfig
from core.search.fusion import fused
from core.search.payload import Hit, fields_of
from core.search.probe import KEYWORD_HALF, KEYWORD_WEIGHT, RRF_K, Probe, depth_of, most_hits

Nearest = tuple[models.Query, str]


class Requests:
    """Builds query batches; what does not depend on the item is built once per probe."""

    def __init__(self, config: SearchConfig, *, has_sparse: bool) -> None:
        self._config = config
        self._has_sparse = has_sparse
        self._payload = fields_of(config)
        self._nearest = lru_cache(maxsize=256)(self._make_nearest)
        self._fusion = lru_cache(maxsize=256)(_make_fusion)

    def hybrid(self, item_id: str, probes: Sequence[Probe]) -> list[models.QueryRequest]:
        """One request per probe: two prefetches and their fusion."""
        chosen = of_restaurant(self._config, item_id)
        return [self._hybrid(probe, chosen) for probe in probes]

    def separate(self, item_id: str, probes: Sequence[Probe]) -> list[models.QueryRequest]:
        """One plain request per probe and vector; `fused` puts the answers together."""
        chosen = of_restaurant(self._config, item_id)
        return [
            models.QueryRequest(query=query, using=using, filter=chosen, limit=depth_of(p), with_payload=self._payload)
            for p in probes
            for query, using in self._nearest(p)
        ]

    def fused(self, found: Sequence[list[Hit]], probes: Sequence[Probe]) -> list[list[Hit]]:
        """The answers to `separate`, one list per probe."""
        answers = iter(found)
        together = []
        for probe in probes:
            dense, *sparse = [next(answers) for _ in self._nearest(probe)]
            together.append(fused(probe, dense, sparse[0] if sparse else ())[: most_hits(probe)])
        return together

    def _hybrid(self, probe: Probe, chosen: models.Filter) -> models.QueryRequest:
        nearest, depth = self._nearest(probe), depth_of(probe)
        prefetches = [models.Prefetch(query=q, using=using, limit=depth, filter=chosen) for q, using in nearest]
        fusion = self._fusion(probe, len(nearest) > 1)
        return models.QueryRequest(
            prefetch=prefetches, query=fusion, limit=most_hits(probe), with_payload=self._payload
        )

    def _make_nearest(self, probe: Probe) -> list[Nearest]:
        nearest: list[Nearest] = [(models.NearestQuery(nearest=probe.dense), self._config.dense)]
        if self._has_sparse and probe.terms:
            sparse = models.SparseVector(indices=list(probe.terms), values=list(probe.terms.values()))
            nearest.append((models.NearestQuery(nearest=sparse), self._config.sparse))
        return nearest


def _make_fusion(probe: Probe, has_sparse: bool) -> models.Query:
    if not probe.fitted:
        return models.RrfQuery(rrf=models.Rrf(k=RRF_K))
    terms: list[models.Expression] = [models.MultExpression(mult=[probe.slope, "$score[0]"]), probe.offset]
    defaults: dict[str, float] = {"$score[0]": probe.floor}
    if has_sparse:
        under = models.SumExpression(sum=["$score[1]", KEYWORD_HALF])
        half = models.DivParams(left="$score[1]", right=under, by_zero_default=0.0)
        terms.append(models.MultExpression(mult=[KEYWORD_WEIGHT, models.DivExpression(div=half)]))
        defaults["$score[1]"] = 0.0
    return models.FormulaQuery(formula=models.SumExpression(sum=terms), defaults=defaults)


def of_restaurant(config: SearchConfig, restaurant_id: str) -> models.Filter:
    """The filter on a restaurant; an existing collection may hold its id as a number."""
    values: list[str | int] = [restaurant_id]
    if restaurant_id.isdecimal() and restaurant_id.isascii() and str(int(restaurant_id)) == restaurant_id:
        values.append(int(restaurant_id))
    field = config.restaurant_field
    return models.Filter(
        should=[models.FieldCondition(key=field, match=models.MatchValue(value=value)) for value in values]
    )
