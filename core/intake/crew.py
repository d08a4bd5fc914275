"""Who prepares reviews: the calling thread, or a crew of processes that each hold the embedder."""

from __future__ import annotations

import os
import queue
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Protocol

from core.base.endpoints import SearchConfig
from core.base.records import Review
from core.intake.process import EmbeddingProcess
from core.search import Embedder, Prepared, load_embedder, prepare

MOST_WORKERS = 4


class Crew(Protocol):
    """Whatever turns reviews into sentences ready to index.

    room: how many batches it takes at once; identity: its embedder's name and dimension.
    """

    room: int

    @property
    def identity(self) -> tuple[str, int]: ...
    def submit(self, reviews: Sequence[Review]) -> Future[list[Prepared]]: ...
    def close(self) -> None: ...


class Alone:
    """Prepares at once, in the calling thread: for few reviews, which are not worth the start of a process."""

    room = 1

    def __init__(self, embedder: Embedder, *, whole_reviews: bool) -> None:
        self._embedder = embedder
        self._whole_reviews = whole_reviews

    @property
    def identity(self) -> tuple[str, int]:
        """The embedder's name and dimension."""
        return self._embedder.name, self._embedder.dimension

    def submit(self, reviews: Sequence[Review]) -> Future[list[Prepared]]:
        """The sentences, there already when this returns."""
        future: Future[list[Prepared]] = Future()
        future.set_result(prepare(reviews, self._embedder, whole_reviews=self._whole_reviews))
        return future

    def close(self) -> None:
        """Nothing to end."""


class Processes:
    """A few embedding processes; every one of them has ended when `close` returns."""

    def __init__(self, config: SearchConfig, env: Mapping[str, str], count: int) -> None:
        threads = max(1, (os.cpu_count() or 1) // count)
        self.room = 2 * count
        self._all: list[EmbeddingProcess] = []
        with ExitStack() as started:
            for _ in range(count):
                process = EmbeddingProcess(config.embedder, config.whole_reviews, env, threads)
                started.callback(process.close)
                self._all.append(process)
            started.pop_all()
        self._free: queue.SimpleQueue[EmbeddingProcess] = queue.SimpleQueue()
        for process in self._all:
            self._free.put(process)
        self._threads = ThreadPoolExecutor(count, "intake-crew")

    def __repr__(self) -> str:
        return f"<Processes {self._all}>"

    @property
    def identity(self) -> tuple[str, int]:
        """The embedder's name and dimension, once it is loaded; to be asked before the first `submit`."""
        ready = self._all[0].ready()
        return ready.embedder, ready.dimension

    def submit(self, reviews: Sequence[Review]) -> Future[list[Prepared]]:
        """The sentences to come; SearchError through the future where a process fails."""
        return self._threads.submit(self._prepare, reviews)

    def _prepare(self, reviews: Sequence[Review]) -> list[Prepared]:
        process = self._free.get()
        try:
            return process.prepare(reviews)
        finally:
            self._free.put(process)

    def close(self) -> None:
        """End the processes first, so that nobody waits for an answer, then the threads."""
        for process in self._all:
            process.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for process in self._all:
            process.close()


def hire(config: SearchConfig, env: Mapping[str, str], count: int) -> Crew:
    """A crew of `count` processes; this thread alone for 0."""
    if count:
        return Processes(config, env, count)
    return Alone(load_embedder(config.embedder, env), whole_reviews=config.whole_reviews)


def default_workers() -> int:
    """As many processes as there are processors, at most four."""
    return min(MOST_WORKERS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
