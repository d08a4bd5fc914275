"""Where results go when the disk refuses the database: an fsynced JSONL beside it, taken in at the next open."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from core.base.records import ItemStatus
from core.store import statuses
from core.store.codec import result_row
from core.store.connection import begin, trouble
from core.store.progress import ItemDone, move
from core.store.rollups import rebuild
from core.store.settles import ACCEPT, CLOSE, Ending, closed_row
from core.store.statuses import Standing

log = logging.getLogger(__name__)

BALLAST_BYTES = 1 << 20


class Spill:
    """The spill of one database. A ballast file holds some disk for it, so that even a full disk has room."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(f"{database.name}.spill.jsonl")
        self._taking = database.with_name(f"{database.name}.spill.taking")
        self._ballast = database.with_name(f"{database.name}.ballast")

    def __repr__(self) -> str:
        return f"<Spill {self.path}>"

    def reserve(self) -> None:
        """Hold some disk while there is some; without it the spill takes its chance."""
        try:
            if not self._ballast.exists():
                self._ballast.write_bytes(b"\0" * BALLAST_BYTES)
        except OSError as error:
            log.warning("no disk could be held for %s: %s", self.path, error)

    def waiting(self) -> bool:
        """Whether there is something to take in."""
        return self.path.exists() or self._taking.exists()

    def keep(self, endings: Sequence[Ending]) -> None:
        """Append what calls came to, and wait until it is on the disk."""
        self._append([_line(ending) for ending in endings])

    def keep_standings(self, standings: Sequence[Standing]) -> None:
        """Append where runs stand that the database could not be told, likewise."""
        self._append([{**_NOTHING, "standing": standing.line()} for standing in standings])

    def standings(self) -> dict[str, Standing]:
        """Where runs stand of which the database does not know yet, by run."""
        lines = [line for path in (self._taking, self.path) for line in self._lines(path)]
        told = [Standing.of_line(line["standing"]) for line in lines if line.get("standing")]
        return {standing.run_id: standing for standing in told}

    def _append(self, kept: Sequence[dict[str, Any]]) -> None:
        self._ballast.unlink(missing_ok=True)
        lines = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in kept)
        try:
            with self.path.open("ab") as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            log.exception("%d results could not be kept in %s", len(kept), self.path)

    def take_in(self, db: sqlite3.Connection) -> int:
        """Put what was kept into the database; how many lines. Safe to repeat: it is removed once committed."""
        begin(db)
        try:
            lines = self._claim()
            for run_id in {run_id for line in lines for run_id in self._apply(db, line)}:
                rebuild(db, run_id)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self._taking.unlink(missing_ok=True)
        log.warning("%d results that the disk had refused are taken in from %s", len(lines), self.path)
        return len(lines)

    def _claim(self) -> list[dict[str, Any]]:
        """What is to be taken in. It is set aside first: another process may still be adding to the spill."""
        if not self._taking.exists() and self.path.exists():
            self.path.rename(self._taking)
        return list(self._lines(self._taking))

    def _lines(self, path: Path) -> Iterator[dict[str, Any]]:
        for line in path.read_bytes().splitlines() if path.exists() else ():
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError:
                log.warning("%s has a line that was cut off; its call counts as an orphan", self.path)

    def _apply(self, db: sqlite3.Connection, line: dict[str, Any]) -> set[str]:
        """Write one line and name the runs it touched; a line that cannot be written is put aside."""
        db.execute("SAVEPOINT line")
        try:
            return _write(db, line)
        except (sqlite3.Error, TypeError, ValueError, KeyError) as error:
            if trouble(error):
                raise
            db.execute("ROLLBACK TO line")
            self._put_aside(line, error)
            return set()
        finally:
            if db.in_transaction:
                db.execute("RELEASE line")

    def _put_aside(self, line: dict[str, Any], error: Exception) -> None:
        rejected = self.path.with_suffix(".rejected.jsonl")
        log.warning("a line of %s cannot be taken in (%s); it is put aside in %s", self.path, error, rejected)
        with rejected.open("ab") as file:
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


_NOTHING: dict[str, Any] = {"run": None, "attempt": None, "results": [], "item": None}


def _line(ending: Ending) -> dict[str, Any]:
    item, attempt, settlement = ending.item, ending.attempt, ending.settlement
    return {
        "run": attempt.run_id if attempt else None,
        "attempt": closed_row(ending.attempt_id, attempt, settlement) if attempt and settlement else None,
        "results": [result_row(result) for result in ending.results],
        "item": [item.run_id, item.item_id, item.status, item.finished_s, item.error, ending.at] if item else None,
    }


def _write(db: sqlite3.Connection, line: dict[str, Any]) -> set[str]:
    touched = {row[0] for row in line["results"]}
    if line["attempt"]:
        CLOSE.run(db, [line["attempt"]])
        touched.add(line["run"])
    ACCEPT.run(db, line["results"])
    if line["item"]:
        run_id, item_id, status, finished_s, error, at = line["item"]
        move(db, [(ItemDone(run_id, item_id, ItemStatus(status), finished_s, error), at)])
        touched.add(run_id)
    if line.get("standing"):
        statuses.take_in(db, Standing.of_line(line["standing"]))
    return touched
