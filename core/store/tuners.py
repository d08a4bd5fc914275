"""Which run tunes which server: one at a time per address, so that two searches for a knee never fight."""

from __future__ import annotations

import sqlite3

from core.base.clock import Clock
from core.store.leases import Held
from core.store.writer import Writer

TTL_S = 15.0


class Tuners:
    """Leases on the addresses of servers, for every process that shares the database."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Tuners {self._writer!r}>"

    def claim(self, address: str, run_id: str, owner: str, ttl_s: float = TTL_S) -> str:
        """Take or renew the lease on an address: '' when it is this run's now, else the run that has it (blocking)."""
        now = self._clock.wall()
        return self._writer.run(lambda db: _claim(db, address, run_id, owner, now, ttl_s))

    def release(self, run_id: str, owner: str) -> None:
        """Give back whatever a run holds (blocking)."""

        def job(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM tuners WHERE run_id = ? AND owner = ?", (run_id, owner))

        self._writer.run(job)


def _claim(db: sqlite3.Connection, address: str, run_id: str, owner: str, now: float, ttl_s: float) -> str:
    row = db.execute("SELECT run_id, owner, expires_at FROM tuners WHERE address = ?", (address,)).fetchone()
    if row is not None and (row[0], row[1]) != (run_id, owner) and Held(row[1], 0, row[2], 0.0).alive(now):
        return str(row[0])
    values = (address, run_id, owner, now + ttl_s)
    db.execute("INSERT OR REPLACE INTO tuners (address, run_id, owner, expires_at) VALUES (?, ?, ?, ?)", values)
    return ""
