"""An embedder of nothing but hashed terms, for tests: no model, no download, the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.search.embedders.protocol import Vectors, unit_rows
from core.search.terms import sparse_terms


class HashEmbedder:
    """Adds up each term's value at its hash modulo the dimension, with the hash's sign."""

    name = "hash"
    dimension = 256

    def documents(self, texts: Sequence[str]) -> Vectors:
        """The texts' rows; a text without words gets the first axis."""
        return unit_rows(np.stack([self._row(text) for text in texts])) if texts else self._none()

    queries = documents

    def _row(self, text: str) -> Vectors:
        row = np.zeros(self.dimension, dtype=np.float32)
        for term, value in sparse_terms(text).items():
            row[term % self.dimension] += value if term & 0x8000_0000 else -value
        if not row.any():
            row[0] = 1.0
        return row

    def _none(self) -> Vectors:
        return np.empty((0, self.dimension), dtype=np.float32)
