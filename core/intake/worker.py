"""The embedding process: reviews in on standard input, sentences ready to index out on standard output.

Started as `python -m core.intake.worker` and not through `multiprocessing`, whose spawned children import the parent's
main script once more, which under Streamlit is a page. It ends when its input does, also when its parent is killed.

Each message is a length (8 bytes) and a pickle; both ends are ours and nothing from a file is ever unpickled.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from core.base.errors import BrigadeError, SearchError
from core.base.records import Review
from core.search import Embedder, Prepared, load_embedder, prepare

_LENGTH = struct.Struct("<Q")


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


def answer(job: Job, embedder: Embedder, *, whole_reviews: bool) -> Done | Failed:
    """One job's sentences, or what was wrong."""
    try:
        return Done.pack(prepare(job.reviews, embedder, whole_reviews=whole_reviews), embedder.dimension)
    except BrigadeError as exc:
        return Failed(exc)
    except Exception as exc:  # noqa: BLE001 - whatever it is, the parent has to tell the operator
        return Failed(SearchError(f"Preparing reviews failed: {type(exc).__name__}: {exc}."))


def serve(inbox: BinaryIO, outbox: BinaryIO, embedder_name: str, *, whole_reviews: bool) -> None:
    """Load the embedder, then answer jobs until the input ends."""
    try:
        embedder = load_embedder(embedder_name, os.environ)
    except BrigadeError as exc:
        send(outbox, Failed(exc))
        return
    send(outbox, Ready(embedder.name, embedder.dimension))
    while True:
        try:
            job = receive(inbox)
        except EOFError:
            return
        send(outbox, answer(job, embedder, whole_reviews=whole_reviews))


def main() -> None:
    """Take over the pipes: whatever a library prints goes to standard error, not between our messages."""
    outbox = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        serve(sys.stdin.buffer, outbox, sys.argv[1], whole_reviews=sys.argv[2] == "whole")
    except BrokenPipeError:
        os._exit(0)  # the parent is gone, and so is whoever would read a complaint


if __name__ == "__main__":
    main()
