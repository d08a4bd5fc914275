"""The one thread that writes: it takes whatever is queued, commits it together, then wakes those who wait."""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar, cast

from core.base.errors import StoreError
from core.store.connection import begin, refusal, translate, trouble

log = logging.getLogger(__name__)

T = TypeVar("T")
Waiter = asyncio.Future[Any] | Future[Any] | None

PACE_S = 0.005
TICK_S = 1.0
LARGEST_BATCH = 2000


class Work(ABC):
    """A kind of write. All payloads of a kind in a batch are applied together; every method runs on the writer."""

    @abstractmethod
    def apply(self, db: sqlite3.Connection, payloads: Sequence[Any]) -> Sequence[Any]:
        """Write them inside the open transaction; one answer each. May run twice: alone, when a batch failed."""

    def committed(self, payloads: Sequence[Any], answers: Sequence[Any]) -> None:  # noqa: B027 - optional
        """They are durable."""

    def rolled_back(self) -> None:  # noqa: B027 - optional
        """The transaction in which `apply` ran is undone."""

    def refused(self, payloads: Sequence[Any]) -> None:  # noqa: B027 - optional
        """The disk takes nothing more: the last chance to keep what must not be lost."""

    def unclaimed(self, payload: Any, answer: Any) -> None:  # noqa: B027 - optional
        """It is durable, but whoever waited for it is gone."""


class Jobs(Work):
    """Functions of the connection, for writes too rare to deserve a kind of their own."""

    def apply(self, db: sqlite3.Connection, payloads: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
        return [job(db) for job in payloads]


class Op:
    """A payload of some kind of work, and who waits for it."""

    __slots__ = ("payload", "waiter", "work")

    def __init__(self, work: Work, payload: Any, waiter: Waiter = None) -> None:
        self.work = work
        self.payload = payload
        self.waiter = waiter


class Writer:
    """Owns the writing connection.

    Idle, it commits at once; under load, at most once per `PACE_S`, so that a hundred calls share a transaction.
    `tick` is asked every second for work of the store's own. `failed` is set for good when the disk takes no more,
    from the beginning where it has `refused` already.
    """

    def __init__(
        self, db: sqlite3.Connection, path: Path, tick: Callable[[], Work | None], refused: Exception | None = None
    ) -> None:
        self.failed = threading.Event()
        self._db = db
        self._path = path
        self._tick = tick
        self._queue: queue.SimpleQueue[Op | None] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self._jobs = Jobs()
        self._why = refused
        if refused is not None:
            self.failed.set()
        self._closing = False
        self._last_commit = self._last_tick = time.monotonic()
        self._thread = threading.Thread(target=self._main, name=f"writer of {path.name}", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        state = "failed" if self.failed.is_set() else "closed" if self._closing else "writing"
        return f"<Writer {self._path} {state}, {self._queue.qsize()} queued>"

    def write(self, work: Work, payload: Any) -> asyncio.Future[Any]:
        """Queue; what is awaited ends once it is durable, without blocking the event loop."""
        waiter: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._put(Op(work, payload, waiter))
        return waiter

    def write_now(self, work: Work, payload: Any) -> Any:
        """Queue and block until it is durable."""
        waiter: Future[Any] = Future()
        self._put(Op(work, payload, waiter))
        self._hurry.set()
        return waiter.result()

    def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a function of the connection in a transaction and block until it is durable."""
        return cast(T, self.write_now(self._jobs, job))

    def post(self, work: Work, payload: Any) -> None:
        """Queue and go on."""
        self._put(Op(work, payload))

    def close(self) -> None:
        """Commit what is queued, end the thread and close the connection."""
        if not self._closing:
            self._closing = True
            self._queue.put(None)
            self._hurry.set()
            self._thread.join()
            self._db.close()
            self._turn_away()

    def _put(self, op: Op) -> None:
        if self._closing:
            raise self._closed_error()
        self._queue.put(op)

    def _turn_away(self) -> None:
        late = [self._queue.get_nowait() for _ in range(self._queue.qsize())]
        _answer([(op, self._closed_error(), True) for op in late if op is not None])

    def _closed_error(self) -> StoreError:
        return StoreError(f"The store of {self._path} is closed; nothing more can be written to it.")

    # The thread

    def _main(self) -> None:
        going_on = True
        while going_on:
            batch, going_on = self._gather()
            self._commit_safely(self._with_tick(batch, last=not going_on))
            self._last_commit = time.monotonic()

    def _commit_safely(self, batch: list[Op]) -> None:
        """Whatever goes wrong, nobody waits for an answer that never comes."""
        try:
            self._commit(batch)
        except Exception as error:
            log.exception("the writer of %s stops", self._path)
            self._why = error
            self._refuse(batch, error)

    def _gather(self) -> tuple[list[Op], bool]:
        """Wait for work, linger a moment under load, and take all there is; False once the store closes."""
        try:
            taken = [self._queue.get(timeout=TICK_S)]
        except queue.Empty:
            return [], True
        self._linger()
        taken += [self._queue.get_nowait() for _ in range(min(self._queue.qsize(), LARGEST_BATCH))]
        batch = [op for op in taken if op is not None]
        return batch, len(batch) == len(taken)

    def _linger(self) -> None:
        pause = self._last_commit + PACE_S - time.monotonic()
        if pause > 0:
            self._hurry.wait(pause)
        self._hurry.clear()

    def _with_tick(self, batch: list[Op], *, last: bool) -> list[Op]:
        now = time.monotonic()
        if last or now - self._last_tick >= TICK_S:
            self._last_tick = now
            if work := self._tick():
                batch.append(Op(work, None))
        return batch

    def _commit(self, batch: list[Op]) -> None:
        if not batch:
            return
        if self._why is not None:
            self._refuse(batch, self._why)
            return
        groups = _by_work(batch)
        try:
            answers = self._transact(groups)
        except Exception as error:  # noqa: BLE001 - whatever went wrong goes to whoever waits for it
            self._undo(groups)
            self._failed(batch, error)
        else:
            self._succeeded(groups, answers)

    def _transact(self, groups: dict[Work, list[Op]]) -> list[Sequence[Any]]:
        begin(self._db)
        answers = [work.apply(self._db, [op.payload for op in ops]) for work, ops in groups.items()]
        self._db.execute("COMMIT")
        return answers

    def _undo(self, groups: dict[Work, list[Op]]) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        for work in groups:
            work.rolled_back()

    def _failed(self, batch: list[Op], error: Exception) -> None:
        """Stop for good, or give each write of the batch its own transaction, so that a bad one fails alone."""
        if trouble(error):
            self._why = error
            self._refuse(batch, error)
        elif len(batch) == 1:
            _answer([(batch[0], translate(error, self._path), True)])
        else:
            for op in batch:
                self._commit([op])

    def _refuse(self, batch: list[Op], why: Exception) -> None:
        for work, ops in _by_work(batch).items():
            work.refused([op.payload for op in ops])
        self.failed.set()
        _answer([(op, refusal(why, self._path), True) for op in batch])

    def _succeeded(self, groups: dict[Work, list[Op]], answers: list[Sequence[Any]]) -> None:
        done = list(zip(groups.items(), answers, strict=True))
        _answer([(op, result, False) for (_, ops), results in done for op, result in zip(ops, results, strict=True)])
        for (work, ops), results in done:
            work.committed([op.payload for op in ops], results)


Reply = tuple[Op, Any, bool]


def _by_work(batch: list[Op]) -> dict[Work, list[Op]]:
    groups: dict[Work, list[Op]] = {}
    for op in batch:
        groups.setdefault(op.work, []).append(op)
    return groups


def _answer(replies: list[Reply]) -> None:
    """Wake every waiter; each event loop is called once, however many of its tasks wait."""
    loops: dict[asyncio.AbstractEventLoop, list[Reply]] = {}
    for reply in replies:
        waiter = reply[0].waiter
        if isinstance(waiter, asyncio.Future):
            loops.setdefault(waiter.get_loop(), []).append(reply)
        elif waiter is not None:
            _resolve([reply])
    for loop, mine in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, mine)
        except RuntimeError:  # the loop is closed, and with it everyone who waited
            continue


def _resolve(replies: list[Reply]) -> None:
    for op, answer, is_error in replies:
        waiter = op.waiter
        assert waiter is not None  # noqa: S101 - only waiters are answered
        if waiter.done():
            if not is_error:
                op.work.unclaimed(op.payload, answer)
        elif is_error:
            waiter.set_exception(answer)
        else:
            waiter.set_result(answer)
