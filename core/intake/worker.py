"""The embedding process: reviews in on standard input, sentences ready to index out on standard output.

Started as `python -m core.intake.worker` and not through `multiprocessing`, whose spawned children import the parent's
main script once more, which under Streamlit is a page. It ends when its input does, also when its parent is killed.
"""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

from core.base.errors import BrigadeError, SearchError
from core.intake.messages import Done, Failed, Job, Ready, Setup, receive, send
from core.search import Embedder, load_embedder, prepare


def answer(job: Job, embedder: Embedder, *, whole_reviews: bool) -> Done | Failed:
    """One job's sentences, or what was wrong."""
    try:
        return Done.pack(prepare(job.reviews, embedder, whole_reviews=whole_reviews), embedder.dimension)
    except BrigadeError as exc:
        return Failed(exc)
    except Exception as exc:  # noqa: BLE001 - whatever it is, the parent has to tell the operator
        return Failed(SearchError(f"Preparing reviews failed: {type(exc).__name__}: {exc}."))


def serve(inbox: BinaryIO, outbox: BinaryIO) -> None:
    """Load the embedder that is asked for, then answer jobs until the input ends."""
    setup: Setup = receive(inbox)
    try:
        embedder = load_embedder(setup.embedder, os.environ)
    except BrigadeError as exc:
        send(outbox, Failed(exc))
        return
    send(outbox, Ready(embedder.name, embedder.dimension))
    while True:
        send(outbox, answer(receive(inbox), embedder, whole_reviews=setup.whole_reviews))


def main() -> None:
    """Take over the pipes: whatever a library prints goes to standard error, not between our messages."""
    outbox = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        serve(sys.stdin.buffer, outbox)
    except (EOFError, BrokenPipeError):
        os._exit(0)  # the parent is done or gone; nothing is left to be written


if __name__ == "__main__":
    main()
