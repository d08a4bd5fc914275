"""Every change of a limit with its reason: written as it happens, read by charts and by whoever resumes the run."""

from __future__ import annotations

import builtins
import sqlite3
from collections.abc import Sequence

from core.base.views import LimitChangeView
from core.store.connection import Readers
from core.store.writer import Work, Writer

_COLUMNS = "run_id, t, at, resource, endpoint, old, new, reason, phase, who"
_INSERT = f"INSERT INTO limit_changes ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
# The newest limit that was settled on, else the newest of a search, else the newest at all: what was in force for a
# moment in an outage or a probe is not where to begin again.
_GOOD = """SELECT resource, endpoint, new FROM limit_changes WHERE run_id = ? AND phase NOT IN ('fixed', 'held')
    ORDER BY CASE WHEN phase = 'hold' THEN 2 WHEN phase IN ('down', 'recover', 'probe') THEN 0 ELSE 1 END, rowid"""

Key = tuple[str, str]


class _Changes(Work):
    """Changes of limits on their way to the table."""

    def apply(self, db: sqlite3.Connection, payloads: Sequence[LimitChangeView]) -> builtins.list[None]:
        for c in payloads:
            row = (c.run_id, c.t, c.at, c.resource, c.endpoint, c.old, c.new, c.reason, c.phase, c.who)
            db.execute(_INSERT, row)
        return [None] * len(payloads)


class LimitChanges:
    """The table of limit changes."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer
        self._work = _Changes()

    def __repr__(self) -> str:
        return f"<LimitChanges {self._readers!r}>"

    def post(self, change: LimitChangeView) -> None:
        """Record a change; does not wait."""
        self._writer.post(self._work, change)

    def list(self, run_id: str) -> builtins.list[LimitChangeView]:
        """A run's changes in the order in which they came into force."""
        sql = f"SELECT {_COLUMNS} FROM limit_changes WHERE run_id = ? ORDER BY rowid"  # noqa: S608 - constants
        return [LimitChangeView(*row) for row in self._readers.all(sql, run_id)]

    def last_good(self, run_id: str) -> dict[Key, int]:
        """The limit to begin with again, by (resource, endpoint): the last that an algorithm settled on."""
        return {(row[0], row[1]): row[2] for row in self._readers.all(_GOOD, run_id)}
