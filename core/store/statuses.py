"""Where a run stands: in its row, or beside the database where that takes no more."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.base.errors import UnknownError
from core.base.records import RunStatus
from core.store import leases
from core.store.leases import Lease
from core.store.writer import Work

WORKING = (RunStatus.RUNNING, RunStatus.PAUSED)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands since a moment (wall seconds), and why. With a lease: only while that is the run's."""

    run_id: str
    status: RunStatus
    reason: str
    at: float
    lease: Lease | None = None

    def line(self) -> list[Any]:
        """What is kept of it beside the database."""
        return [self.run_id, self.status.value, self.reason, self.at]

    @classmethod
    def of_line(cls, line: Sequence[Any]) -> Standing:
        """What was kept; ValueError or TypeError for what never was one."""
        run_id, status, reason, at = line
        return cls(str(run_id), RunStatus(status), str(reason), float(at))

    def newer_than(self, row: Mapping[str, Any] | sqlite3.Row) -> bool:
        """Whether the row of the run still says that it is at work, and has not been taken up since."""
        return row["status"] in WORKING and self.at >= max(row["resumed_at"] or 0.0, row["started_at"] or 0.0)


class Statuses(Work):
    """Writes where runs stand. `keep` is given what the disk refused, but for runs that begin: those do not."""

    def __init__(self, keep: Callable[[Sequence[Standing]], None]) -> None:
        self._keep = keep

    def apply(self, db: sqlite3.Connection, payloads: Sequence[Standing]) -> list[None]:
        for standing in payloads:
            if standing.lease is not None:
                leases.check(db, standing.lease)
            must_exist(db, standing.run_id)
            write(db, standing)
        return [None] * len(payloads)

    def refused(self, payloads: Sequence[Standing]) -> None:
        if ended := [standing for standing in payloads if standing.status is not RunStatus.RUNNING]:
            self._keep(ended)


def write(db: sqlite3.Connection, standing: Standing) -> None:
    """Put it in the run's row; its watch runs while it is at work."""
    status, run_id, at = standing.status, standing.run_id, standing.at
    db.execute("UPDATE runs SET status = ?, reason = ? WHERE id = ?", (status.value, standing.reason, run_id))
    if status is RunStatus.RUNNING:
        db.execute(
            """UPDATE runs SET started_at = coalesce(started_at, ?1), resumed_at = coalesce(resumed_at, ?1),
            ended_at = NULL WHERE id = ?2""",
            (at, run_id),
        )
    elif status not in (*WORKING, RunStatus.PENDING):
        db.execute("UPDATE runs SET ended_at = ? WHERE id = ?", (at, run_id))
        leases.bank_time(db, run_id, at)


def take_in(db: sqlite3.Connection, standing: Standing) -> None:
    """Put what was kept in the run's row, and let go of the lease that could not be given back."""
    row = db.execute("SELECT status, resumed_at, started_at FROM runs WHERE id = ?", (standing.run_id,)).fetchone()
    if row is None or not standing.newer_than(dict(zip(("status", "resumed_at", "started_at"), row, strict=True))):
        return
    write(db, standing)
    leases.bank_time(db, standing.run_id, standing.at)
    db.execute("UPDATE leases SET owner = '' WHERE run_id = ? AND renewed_at <= ?", (standing.run_id, standing.at))


def must_exist(db: sqlite3.Connection, run_id: str) -> None:
    """UnknownError, naming the last five, where there is no such run."""
    if db.execute("SELECT 1 FROM runs WHERE id = ?", (run_id,)).fetchone() is None:
        recent = [row[0] for row in db.execute("SELECT id FROM runs ORDER BY n DESC LIMIT 5")]
        raise unknown_run(run_id, recent)


def unknown_run(run_id: str, recent: list[str]) -> UnknownError:
    """What to say of a run that does not exist."""
    known = f"The last ones are {', '.join(recent)}." if recent else "There are no runs yet; start one."
    return UnknownError(f"There is no run {run_id!r}. {known}")
