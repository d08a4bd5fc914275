"""Keeps the roll-up tables: new attempts are folded in once a second; a run's rows can be rebuilt from the ledger."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from core.store.slices import COLUMNS, SLICE, Key, Settled, Slice, coarsen, fine_key, fold, fold_fine, slice_of
from core.store.spending import recount
from core.store.statements import Bulk
from core.store.writer import Work

_KEYS = "run_id, width, slice, stage, resource, model"
_SELECT = f"SELECT {', '.join(COLUMNS)} FROM rollups WHERE ({_KEYS}) = (?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
_REPLACE = Bulk(
    f"INSERT INTO rollups ({_KEYS}, {', '.join(COLUMNS)}) VALUES",
    len(COLUMNS) + 6,
    f"ON CONFLICT DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS)}",
)
_PROGRESS = Bulk(
    "INSERT INTO progress (run_id, slice, finished) VALUES",
    3,
    "ON CONFLICT DO UPDATE SET finished = finished + excluded.finished",
)
_SETTLED = """SELECT run_id, stage, resource, model, started_at + coalesce(service_s, 0), state, number, calls, queue_s,
    coalesce(service_s, 0), ttft_s, input_tokens, output_tokens, cost_nano
    FROM attempts WHERE run_id = ? AND state <> 'started' AND started_at + coalesce(service_s, 0) >= ?"""
_FINE_KEYS = ("slice", "stage", "resource", "model")
_FINE = f"SELECT {', '.join((*_FINE_KEYS, *COLUMNS))} FROM rollups WHERE run_id = ? AND width = ?"  # noqa: S608 - names are constants, values are bound
_COUNTS = """SELECT max(0, CAST((started_at + coalesce(service_s, 0) - ?) / ? AS INTEGER)) AS slice, stage, resource,
    model, count(*) FROM attempts WHERE run_id = ? AND state <> 'started' GROUP BY 1, 2, 3, 4"""

Finished = tuple[str, float]


class Rollups(Work):
    """What was settled since the last flush. Applied, it flushes; a run id as payload has that run rebuilt."""

    def __init__(self) -> None:
        self._attempts: list[Settled] = []
        self._items: list[Finished] = []
        self._written = (0, 0)
        self._rebuilt: set[str] = set()

    def __repr__(self) -> str:
        return f"<Rollups, {len(self._attempts)} attempts to fold in>"

    def note(self, attempts: Iterable[Settled], items: Iterable[Finished]) -> None:
        """Attempts and items whose transaction is committed."""
        self._attempts += attempts
        self._items += items

    def due(self) -> Rollups | None:
        """Itself when there is something to flush."""
        return self if self._attempts or self._items else None

    def apply(self, db: sqlite3.Connection, payloads: Sequence[str | None]) -> list[None]:
        """Flush; a payload that names a run has that run rebuilt from the ledger."""
        self._flush(db)
        for run_id in payloads:
            if run_id is not None:
                rebuild(db, run_id)
                self._rebuilt.add(run_id)
        return [None] * len(payloads)

    def committed(self, payloads: Sequence[str | None], answers: Sequence[None]) -> None:
        """Forget what is in the tables now, be it by this flush or because its run was rebuilt."""
        attempts, items = self._written
        self._attempts = [row for row in self._attempts[attempts:] if row.run_id not in self._rebuilt]
        self._items = [row for row in self._items[items:] if row[0] not in self._rebuilt]
        self.rolled_back()

    def rolled_back(self) -> None:
        self._written = (0, 0)
        self._rebuilt = set()

    def _flush(self, db: sqlite3.Connection) -> None:
        add_attempts(db, self._attempts)
        add_items(db, self._items)
        self._written = (len(self._attempts), len(self._items))


def add_attempts(db: sqlite3.Connection, attempts: Sequence[Settled]) -> None:
    """Fold attempts into the stored slices."""
    began = {run_id: _began(db, run_id) for run_id in {row.run_id for row in attempts}}
    folded = fold(attempts, began)
    _REPLACE.run(db, [[*key, *_with_stored(db, key, part).to_row()] for key, part in folded.items()])


def _with_stored(db: sqlite3.Connection, key: Key, part: Slice) -> Slice:
    row = db.execute(_SELECT, key).fetchone()
    if row is not None:
        part.merge(Slice.from_row(dict(zip(COLUMNS, row, strict=True))))
    return part


def _began(db: sqlite3.Connection, run_id: str) -> float:
    row = db.execute("SELECT coalesce(started_at, created_at) FROM runs WHERE id = ?", (run_id,)).fetchone()
    return float(row[0]) if row else 0.0


def add_items(db: sqlite3.Connection, items: Sequence[Finished]) -> None:
    """Count finished items into slices of time."""
    began = {run_id: _began(db, run_id) for run_id in {run_id for run_id, _ in items}}
    counted = Counter((run_id, slice_of(at, began[run_id])) for run_id, at in items)
    _PROGRESS.run(db, [(*key, count) for key, count in counted.items()])


def rebuild(db: sqlite3.Connection, run_id: str) -> None:
    """Make a run's counters anew from its items and, where they have fallen behind, its sums from its attempts."""
    count_items(db, run_id)
    db.execute("DELETE FROM progress WHERE run_id = ?", (run_id,))
    items = db.execute("SELECT run_id, finished_at FROM run_items WHERE run_id = ? AND status <> 'pending'", (run_id,))
    add_items(db, items.fetchall())
    if _behind(db, run_id):
        _fold_ledger(db, run_id)
        _count_money(db, run_id)
        recount(db, run_id)


def _behind(db: sqlite3.Connection, run_id: str) -> bool:
    """Whether the process died, or attempts were orphaned, between a settlement and the next flush."""
    settled = db.execute("SELECT count(*) FROM attempts WHERE run_id = ? AND state <> 'started'", (run_id,))
    folded = db.execute("SELECT coalesce(sum(attempts), 0) FROM rollups WHERE run_id = ? AND width = 0", (run_id,))
    return bool(settled.fetchone() != folded.fetchone())


def _fold_ledger(db: sqlite3.Connection, run_id: str) -> None:
    """Fold in what is missing: slices that hold as many attempts as the ledger are kept, the others are summed anew.

    An attempt is settled once and never changed, so that as many are the same ones; what a process that died had not
    folded in yet lies in its last seconds.
    """
    began = _began(db, run_id)
    counts = _counts(db, run_id, began)
    kept = _kept(db, run_id, counts)
    first = min((key.slice for key in counts if key not in kept), default=0)
    # A second early, for arithmetic at the edge of a slice.
    since = began + first * SLICE - 1.0 if first else -math.inf
    rows = (Settled(*row) for row in db.execute(_SETTLED, (run_id, since)))
    missing = fold_fine((row for row in rows if fine_key(row, began) not in kept), {run_id: began})
    db.execute("DELETE FROM rollups WHERE run_id = ?", (run_id,))
    _REPLACE.run(db, [[*key, *part.to_row()] for key, part in coarsen(kept | missing).items()])


def _kept(db: sqlite3.Connection, run_id: str, counts: Mapping[Key, int]) -> dict[Key, Slice]:
    """The stored slices of five seconds that are whole."""
    stored = db.execute(_FINE, (run_id, SLICE)).fetchall()
    keys = [Key(run_id, SLICE, *row[: len(_FINE_KEYS)]) for row in stored]
    values = [dict(zip(COLUMNS, row[len(_FINE_KEYS) :], strict=True)) for row in stored]
    pairs = zip(keys, values, strict=True)
    return {key: Slice.from_row(value) for key, value in pairs if counts.get(key) == value["attempts"]}


def _counts(db: sqlite3.Connection, run_id: str, began: float) -> dict[Key, int]:
    """Settled attempts in the ledger by slice of five seconds."""
    return {Key(run_id, SLICE, *row[:-1]): row[-1] for row in db.execute(_COUNTS, (began, SLICE, run_id))}


def count_items(db: sqlite3.Connection, run_id: str) -> None:
    """Set a run's counters to what its items say."""
    db.execute(
        """UPDATE runs SET (selected, pending, done, failed, refused, no_reviews) = (SELECT count(*),
            sum(status = 'pending'), sum(status = 'done'), sum(status = 'failed'), sum(status = 'refused'),
            sum(status = 'no_reviews') FROM run_items WHERE run_id = runs.id)
        WHERE id = ? AND EXISTS (SELECT 1 FROM run_items WHERE run_id = runs.id)""",
        (run_id,),
    )


def _count_money(db: sqlite3.Connection, run_id: str) -> None:
    db.execute(
        """UPDATE runs SET (cost_nano, priced, unpriced) = (SELECT coalesce(sum(cost_nano), 0),
            coalesce(sum(priced), 0), coalesce(sum(unpriced), 0) FROM rollups WHERE run_id = runs.id AND width = 0)
        WHERE id = ?""",
        (run_id,),
    )
