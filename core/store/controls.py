"""Commands to runs: the only way in which a screen or a terminal speaks to an engine."""

from __future__ import annotations

import builtins
import sqlite3

from core.base.clock import Clock
from core.base.errors import UnknownError
from core.base.views import ControlView
from core.store.connection import Readers
from core.store.writer import Writer

_COLUMNS = "id, run_id, at, who, action, old, new, reason, applied_at, outcome"


class Controls:
    """The table of commands: who, when, what, old, new, why, and what came of it."""

    def __init__(self, readers: Readers, writer: Writer, clock: Clock) -> None:
        self._readers = readers
        self._writer = writer
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Controls {self._readers!r}>"

    def send(self, run_id: str, action: str, new: str, *, who: str, reason: str = "", old: str = "") -> int:
        """Leave a command for a run's engine; its id. UnknownError when there is no such run."""
        row = (run_id, self._clock.wall(), who, action, old, new, reason)

        def job(db: sqlite3.Connection) -> int:
            if db.execute("SELECT 1 FROM runs WHERE id = ?", (run_id,)).fetchone() is None:
                msg = f"There is no run {run_id!r} to send {action} to; `python -m core runs` lists them."
                raise UnknownError(msg)
            sql = "INSERT INTO controls (run_id, at, who, action, old, new, reason) VALUES (?, ?, ?, ?, ?, ?, ?)"
            return int(db.execute(sql, row).lastrowid or 0)

        return self._writer.run(job)

    def pending(self, run_id: str, after_id: int) -> builtins.list[ControlView]:
        """Commands not obeyed yet, oldest first; cheap enough for ten times a second."""
        sql = f"SELECT {_COLUMNS} FROM controls WHERE run_id = ? AND id > ? AND applied_at IS NULL ORDER BY id"  # noqa: S608 - names are constants, values are bound
        return [ControlView(*row) for row in self._readers.all(sql, run_id, after_id)]

    def applied(self, control_id: int, outcome: str) -> None:
        """Record what came of a command."""
        values = (self._clock.wall(), outcome, control_id)

        def job(db: sqlite3.Connection) -> None:
            db.execute("UPDATE controls SET applied_at = ?, outcome = ? WHERE id = ?", values)

        self._writer.run(job)

    def list(self, run_id: str, limit: int = 50) -> builtins.list[ControlView]:
        """A run's commands, newest first."""
        sql = f"SELECT {_COLUMNS} FROM controls WHERE run_id = ? ORDER BY id DESC LIMIT ?"  # noqa: S608 - constants
        return [ControlView(*row) for row in self._readers.all(sql, run_id, limit)]
