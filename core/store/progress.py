"""The counters of a run row: items that move once from pending, money that is spent."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.base.records import ItemStatus
from core.store.slices import Settled, is_unpriced


@dataclass(frozen=True, slots=True)
class ItemDone:
    """What an item came to, `finished_s` seconds after the run began."""

    run_id: str
    item_id: str
    status: ItemStatus
    finished_s: float
    error: str | None = None


Move = tuple[ItemDone, float] | None

_MOVE = """UPDATE run_items SET status = ?1, finished_s = ?2, finished_at = ?3, error = ?4,
    cost_nano = (SELECT coalesce(sum(cost_nano), 0) FROM attempts WHERE run_id = ?5 AND item_id = ?6)
    WHERE run_id = ?5 AND item_id = ?6 AND status = 'pending'"""
_SHIFT = "UPDATE runs SET {0} = {0} + ?1, pending = pending - ?1 WHERE id = ?2"
_CHARGE = "UPDATE runs SET cost_nano = cost_nano + ?, priced = priced + ?, unpriced = unpriced + ? WHERE id = ?"


def move(db: sqlite3.Connection, moves: Sequence[Move]) -> list[bool]:
    """Move items from pending to what they came to (and when, in wall seconds), and their run's counters with them;
    which of them moved."""
    moved = [step is not None and _move(db, *step) for step in moves]
    counted = Counter((s[0].run_id, s[0].status) for s, m in zip(moves, moved, strict=True) if m and s)
    for (run_id, status), count in counted.items():
        db.execute(_SHIFT.format(ItemStatus(status).value), (count, run_id))
    return moved


def _move(db: sqlite3.Connection, item: ItemDone, at: float) -> bool:
    if item.status is ItemStatus.PENDING:
        return False
    changed = db.execute(_MOVE, (item.status.value, item.finished_s, at, item.error, item.run_id, item.item_id))
    return changed.rowcount == 1


def charge(db: sqlite3.Connection, attempts: Iterable[Settled]) -> None:
    """Add what attempts cost to their runs."""
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in attempts:
        total = sums[row.run_id]
        total[0] += row.cost_nano or 0
        total[1] += row.cost_nano is not None
        total[2] += is_unpriced(row.resource, row.cost_nano, row.output_tokens)
    for run_id, total in sums.items():
        db.execute(_CHARGE, (*total, run_id))
