"""Answers of models, kept across runs by the hash of what was asked: a run that opts in pays for nothing twice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from core.base.clock import Clock
from core.base.records import ModelReply, Usage
from core.store.connection import Readers
from core.store.writer import Work, Writer

MOST_ANSWERS = 200_000
LONGEST_S = 30 * 86_400.0
TRIM_EVERY = 1000

_PUT = """INSERT INTO answers (key, at, model, text, input_tokens, output_tokens) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET at = excluded.at, text = excluded.text"""
_OLD = "DELETE FROM answers WHERE at < ?"
_MANY = "DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY at DESC LIMIT -1 OFFSET ?)"


@dataclass(frozen=True, slots=True)
class CacheSize:
    """How much is kept: answers, their bytes of text, and when the oldest was given (wall seconds; None: empty)."""

    answers: int
    bytes: int
    oldest_at: float | None


class Puts(Work):
    """Answers to keep. Every thousand of them those that are too old or too many are dropped."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._since = 0

    def apply(self, db: sqlite3.Connection, payloads: Sequence[tuple[object, ...]]) -> list[None]:
        for row in payloads:
            db.execute(_PUT, row)
        self._since += len(payloads)
        if self._since >= min(TRIM_EVERY, self.most):
            self._since = 0
            trim(db, self.most, max(float(str(at)) for _, at, *_ in payloads))
        return [None] * len(payloads)


def trim(db: sqlite3.Connection, most: int, now: float) -> None:
    """Drop answers of more than thirty days, and the oldest beyond so many."""
    db.execute(_OLD, (now - LONGEST_S,))
    db.execute(_MANY, (most,))


class Cache:
    """The kept answers. Only complete ones are kept, as the model gave them: citations are read anew."""

    def __init__(self, readers: Readers, writer: Writer, clock: Clock, most: int = MOST_ANSWERS) -> None:
        self._readers = readers
        self._writer = writer
        self._clock = clock
        self._puts = Puts(most)

    def __repr__(self) -> str:
        return f"<Cache {self._readers!r}>"

    async def get(self, key: str) -> ModelReply | None:
        """The answer to what has that hash, unless it is older than thirty days."""
        return await asyncio.to_thread(self._get, key)

    def _get(self, key: str) -> ModelReply | None:
        sql = "SELECT model, text, input_tokens, output_tokens FROM answers WHERE key = ? AND at >= ?"
        row = self._readers.one(sql, key, self._clock.wall() - LONGEST_S)
        return None if row is None else ModelReply(row[1], Usage(row[2], row[3]), model=row[0])

    def keep(self, key: str, reply: ModelReply) -> None:
        """Remember an answer; does not wait."""
        usage = reply.usage
        row = (key, self._clock.wall(), reply.model, reply.text, usage.input_tokens, usage.output_tokens)
        self._writer.post(self._puts, row)

    def size(self) -> CacheSize:
        """How much is kept."""
        row = self._readers.all("SELECT count(*), coalesce(sum(length(text)), 0), min(at) FROM answers")[0]
        return CacheSize(*row)

    def clear(self) -> int:
        """Forget everything; how many answers that were."""
        return self._writer.run(lambda db: db.execute("DELETE FROM answers").rowcount)
