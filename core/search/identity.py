"""Who a point is, and whose vectors an index holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from core.base.errors import IndexMismatchError, SearchError
from core.search.embedders import Embedder
from core.search.prepare import Prepared

_NAMESPACE = uuid5(NAMESPACE_URL, "brigade:sentence")
BATCH = 100


def point_id(restaurant_id: str, review_id: str, position: int) -> str:
    """The same sentence has the same id (UUID5) in every import, so that a repeated one overwrites itself."""
    return str(uuid5(_NAMESPACE, f"{restaurant_id}\x1f{review_id}\x1f{position}"))


@dataclass(frozen=True, slots=True)
class Mark:
    """What an index says of its vectors: the embedder's name and dimension, and the unit of a point."""

    embedder: str
    dimension: int
    whole_reviews: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As stored beside the vectors."""
        return asdict(self)


def mark_of(embedder: Embedder | tuple[str, int], whole_reviews: bool) -> Mark:
    """The mark an index made with this embedder gets."""
    name, dimension = embedder if isinstance(embedder, tuple) else (embedder.name, embedder.dimension)
    return Mark(name, dimension, whole_reviews)


def require_same(held: Mark, wanted: Mark, place: str) -> None:
    """IndexMismatchError where an index's vectors are not the wanted embedder's."""
    if held == wanted:
        return
    msg = (
        f"The {place} holds {_words(held)}, but the configuration asks for {_words(wanted)}. "
        f"Set the embedder to {held.embedder!r}, or import the reviews into another index."
    )
    raise IndexMismatchError(msg)


def _words(mark: Mark) -> str:
    unit = "whole reviews" if mark.whole_reviews else "sentences"
    return f"{unit} embedded by {mark.embedder!r} in {mark.dimension} dimensions"


def require_sound(prepared: Sequence[Prepared], dimension: int) -> None:
    """SearchError for a vector the engine would choke on: a wrong size, NaN, or a broken sparse vector."""
    for sentence in prepared:
        where = f"Sentence {sentence.position} of review {sentence.review_id!r}"
        if sentence.dense.shape != (dimension,):
            msg = f"{where} has a vector of shape {sentence.dense.shape}, not ({dimension},). Prepare it again."
            raise IndexMismatchError(msg)
        if not np.isfinite(sentence.dense).all():
            msg = f"{where} has a vector with NaN or infinity. The embedder is broken: prepare it again with another."
            raise SearchError(msg)
        require_sparse(sentence.terms.keys(), sentence.terms.values(), where)


def require_sparse(indices: Iterable[Any], values: Iterable[Any], where: str) -> None:
    """SearchError unless indices are distinct u32 numbers, one finite value for each."""
    indices, values = list(indices), list(values)
    sound = (
        len(indices) == len(values) == len(set(indices))
        and all(isinstance(index, int) and 0 <= index < 2**32 for index in indices)
        and all(isinstance(value, float | int) and isfinite(value) for value in values)
    )
    if not sound:
        msg = f"{where} has a broken sparse vector: {len(indices)} indices, {len(values)} values. Use sparse_terms()."
        raise SearchError(msg)
