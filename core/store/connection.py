"""Connections to one database file: the one that writes, and the pool of those that read."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.base.errors import StoreError, StoreFullError

BUSY_S = 10.0
BUSY_TRIES = 3
WRITER_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16384",
    "PRAGMA wal_autocheckpoint = 4000",
)

# Primary result codes after which nothing more can be recorded, however often one tries.
TROUBLE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the database is read-only",
    sqlite3.SQLITE_IOERR: "the disk reported an input/output error",
    sqlite3.SQLITE_CANTOPEN: "a database file could not be opened",
    sqlite3.SQLITE_CORRUPT: "the database file is damaged",
    sqlite3.SQLITE_NOTADB: "the file is no longer a database",
    sqlite3.SQLITE_BUSY: f"another process has kept the database locked for {BUSY_S * BUSY_TRIES:g} s",
}


def connect_writer(path: Path) -> sqlite3.Connection:
    """The connection that writes; transactions are begun by hand. sqlite3.Error when the file is no database."""
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        for pragma in WRITER_PRAGMAS:
            db.execute(pragma)
    except sqlite3.Error:
        db.close()
        raise
    return db


def begin(db: sqlite3.Connection) -> None:
    """Begin a transaction that will write; waits for another process's, three times the busy timeout."""
    for _ in range(BUSY_TRIES - 1):
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
        else:
            return
    db.execute("BEGIN IMMEDIATE")


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    uri = f"{path.resolve().as_uri()}?mode=ro"
    db = sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    return db


def trouble(error: BaseException) -> str | None:
    """Why nothing more can be recorded, or None where the error is about one write only."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else TROUBLE.get(code & 0xFF)


def translate(error: Exception, path: Path) -> Exception:
    """A third party's error about one write as one of ours, the original attached; ours are left alone."""
    if not isinstance(error, (sqlite3.Error, ValueError, TypeError, OverflowError)):
        return error
    ours = StoreError(f"{path} could not take a write in: {error}")
    ours.__cause__ = error
    return ours


def refusal(error: Exception, path: Path) -> StoreFullError:
    """What every caller is told once nothing more can be recorded."""
    why = trouble(error) or "its writer broke"
    ours = StoreFullError(f"Nothing more can be recorded in {path}: {why} ({error}). Put that right, then resume.")
    ours.__cause__ = error
    return ours


class Readers:
    """Read-only connections, one per reading thread at a time, reused by whoever reads next."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False

    def __repr__(self) -> str:
        return f"<Readers {self.path}, {len(self._idle)} idle>"

    @contextlib.contextmanager
    def borrow(self) -> Iterator[sqlite3.Connection]:
        """A connection of the caller's own until the block ends; StoreError instead of SQLite's errors."""
        db = None
        try:
            db = self._take()
            yield db
        except sqlite3.Error as exc:
            msg = f"{self.path} could not be read: {exc}. `sqlite3 {self.path} .recover` saves what can be saved."
            raise StoreError(msg) from exc
        finally:
            if db is not None:
                self._give_back(db)

    def all(self, sql: str, *params: Any) -> list[sqlite3.Row]:
        """Every row of a query."""
        with self.borrow() as db:
            return db.execute(sql, params).fetchall()

    def one(self, sql: str, *params: Any) -> sqlite3.Row | None:
        """The first row of a query."""
        with self.borrow() as db:
            row: sqlite3.Row | None = db.execute(sql, params).fetchone()
            return row

    def value(self, sql: str, *params: Any) -> Any:
        """The first column of the first row; None without one."""
        row = self.one(sql, *params)
        return None if row is None else row[0]

    def close(self) -> None:
        """Close what is idle; connections still lent are closed as they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> sqlite3.Connection:
        if self._closed:
            msg = f"The store of {self.path} is closed; open it again to read."
            raise StoreError(msg)
        try:
            return self._idle.pop()
        except IndexError:
            return connect_reader(self.path)

    def _give_back(self, db: sqlite3.Connection) -> None:
        if self._closed:
            db.close()
        else:
            self._idle.append(db)
