"""Score fusion on our side, for servers that cannot evaluate a formula (Qdrant before 1.14)."""

from __future__ import annotations

from collections.abc import Iterable

from core.search.payload import Hit
from core.search.probe import RRF_K, Probe


def fused(probe: Probe, dense: Iterable[Hit], sparse: Iterable[Hit]) -> list[Hit]:
    """Candidates of both lists, best first, scored as the engine's formula (or RRF, for an unfitted probe) does."""
    lists = [list(dense), list(sparse)]
    payloads = {key: payload for hits in lists for key, _, payload in hits}
    values = _by_score(probe, lists) if probe.fitted else _by_rank(lists)
    return sorted(((key, values[key], payload) for key, payload in payloads.items()), key=lambda hit: -hit[1])


def _by_score(probe: Probe, lists: list[list[Hit]]) -> dict[object, float]:
    dense, sparse = ({key: score for key, score, _ in hits} for hits in lists)
    return {key: probe.raw(dense.get(key, probe.floor), sparse.get(key, 0.0)) for key in dense | sparse}


def _by_rank(lists: list[list[Hit]]) -> dict[object, float]:
    """Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009), ranks from 0 as Qdrant counts them."""
    values: dict[object, float] = {}
    for hits in lists:
        for rank, (key, _, _) in enumerate(hits):
            values[key] = values.get(key, 0.0) + 1 / (RRF_K + rank)
    return values
