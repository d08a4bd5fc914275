"""A wrapper that embeds each text once: short reviews repeat word for word, and queries repeat per restaurant."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from core.search.embedders.protocol import Embedder, Vectors

CAPACITY = 8_192


class CachedEmbedder:
    """Keeps the vectors of the last CAPACITY texts (16 MB at 512 dimensions) and asks the inner one for the rest."""

    def __init__(self, inner: Embedder, capacity: int = CAPACITY) -> None:
        self.name = inner.name
        self.dimension = inner.dimension
        self._inner = inner
        self._capacity = capacity
        self._kept: OrderedDict[tuple[bool, str], Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<CachedEmbedder {self.name}, {len(self._kept)}/{self._capacity} texts>"

    def documents(self, texts: Sequence[str]) -> Vectors:
        """The texts as documents, [len(texts), dimension]."""
        return self._rows(texts, False, self._inner.documents)

    def queries(self, texts: Sequence[str]) -> Vectors:
        """The texts as queries, [len(texts), dimension]."""
        return self._rows(texts, True, self._inner.queries)

    def _rows(self, texts: Sequence[str], query: bool, embed: Callable[[Sequence[str]], Vectors]) -> Vectors:
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        missing: dict[str, list[int]] = {}
        with self._lock:
            for at, text in enumerate(texts):
                kept = self._kept.get((query, text))
                if kept is None:
                    missing.setdefault(text, []).append(at)
                else:
                    rows[at] = kept
        if missing:
            fresh = embed(list(missing))
            for vector, places in zip(fresh, missing.values(), strict=True):
                rows[places] = vector
            self._keep(query, missing, fresh)
        return rows

    def _keep(self, query: bool, texts: dict[str, list[int]], vectors: Vectors) -> None:
        with self._lock:
            for text, vector in zip(texts, vectors, strict=True):
                self._kept[(query, text)] = vector.copy()
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
