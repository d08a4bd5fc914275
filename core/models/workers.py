"""A few threads of its own for calls that block, and an honest count of those that hang in one.

A thread cannot be killed. So a call that its caller gives up keeps its thread until it returns, and is counted; the
threads are daemons, which a process that ends does not wait for (`concurrent.futures` would).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Workers:
    """`size` threads at most, started as they are needed; what comes on top waits its turn."""

    def __init__(self, size: int, name: str) -> None:
        self.size = size
        self.name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0
        self._open = 0
        self._lost = 0

    def __repr__(self) -> str:
        lost = f", {self._lost} given up" if self._lost else ""
        return f"<Workers {self.name} {self._open}/{self.size}{lost}>"

    @property
    def lost(self) -> int:
        """Threads taken by calls that nobody waits for any more."""
        return self._lost

    async def run(self, call: Callable[[], T]) -> T:
        """What the call returns or raises, from one of the threads; whoever stops waiting leaves it its thread."""
        job = self._add(call)
        try:
            return await asyncio.wrap_future(job.future)
        except asyncio.CancelledError:
            self._give_up(job)
            raise

    def close(self) -> None:
        """Let the threads end after what they are doing; those that hang are left."""
        for _ in range(self._started):
            self._jobs.put(None)

    def _add(self, call: Callable[[], Any]) -> _Job:
        job = _Job(call)
        with self._lock:
            self._open += 1
            more = self._started < min(self._open, self.size)
            self._started += more
        self._jobs.put(job)
        if more:
            name = f"{self.name}-{self._started}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
        return job

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.do()
            with self._lock:
                self._open -= 1
                self._lost -= job.is_lost
            del job  # a thread that waits holds no prompt

    def _give_up(self, job: _Job) -> None:
        with self._lock:
            if not job.future.cancel() and job.future.running():
                job.is_lost = True
                self._lost += 1


class _Job:
    """One call and who waits for it."""

    __slots__ = ("call", "future", "is_lost")

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call
        self.future: Future[Any] = Future()
        self.is_lost = False

    def do(self) -> None:
        """Call it, unless its caller is gone already."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.call())
        except BaseException as exc:  # noqa: BLE001 - a SystemExit of the function must not end the thread in silence
            self.future.set_exception(exc)
