"""What the embedding process and its parent say to each other over pipes.

Each message is a length (8 bytes) and a pickle; both ends are ours and nothing from a file is ever unpickled. The
classes stand apart from the worker's main module, because pickle would look for those in the parent's.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from core.base.errors import BrigadeError
from core.base.records import Review
from core.search import Prepared

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message: which embedder to load, and whether a review is one sentence."""

    embedder: str
    whole_reviews: bool


@dataclass(frozen=True, slots=True)
class Job:
    """Reviews to prepare."""

    reviews: Sequence[Review]


@dataclass(frozen=True, slots=True)
class Ready:
    """The embedder is loaded."""

    embedder: str
    dimension: int


@dataclass(frozen=True, slots=True)
class Done:
    """The sentences of a job: all their vectors in one array, which pickles in one piece."""

    sentences: list[tuple[Any, ...]]
    dense: npt.NDArray[np.float32]

    @classmethod
    def pack(cls, prepared: Sequence[Prepared], dimension: int) -> Done:
        """Prepared sentences, packed."""
        rows = [(p.restaurant_id, p.review_id, p.position, p.text, p.terms, p.payload) for p in prepared]
        dense = np.empty((len(rows), dimension), dtype=np.float32)
        for place, sentence in enumerate(prepared):
            dense[place] = sentence.dense
        return cls(rows, dense)

    def unpack(self) -> list[Prepared]:
        """The sentences again; their vectors are views of the one array."""
        return [
            Prepared(restaurant_id, review_id, position, text, vector, terms, payload)
            for (restaurant_id, review_id, position, text, terms, payload), vector in zip(
                self.sentences, self.dense, strict=True
            )
        ]


@dataclass(frozen=True, slots=True)
class Failed:
    """What went wrong."""

    error: BrigadeError


def send(pipe: BinaryIO, message: object) -> None:
    """Write one message."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.write(_LENGTH.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def receive(pipe: BinaryIO) -> Any:
    """Read one message; EOFError when the other side is gone."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    length = _LENGTH.unpack(head)[0]
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return pickle.loads(data)  # noqa: S301 - from our own process
