"""What a resumed run needs to know: which items are left, what is done of them, which calls never came back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from core.base.records import Evidence, Item, ItemStatus, NodeResult
from core.store.codec import dump, load, load_citations, load_flags
from core.store.connection import Readers
from core.store.evidence import with_evidence
from core.store.money import to_usd
from core.store.rollups import count_items

_PENDING = """SELECT r.position, r.item_id, i.name, i.kind, i.fields, i.reviews
    FROM run_items AS r JOIN runs ON runs.id = r.run_id
    LEFT JOIN items AS i ON i.kind = runs.item_kind AND i.id = r.item_id
    WHERE r.run_id = ? AND r.position > ? AND r.status = 'pending' ORDER BY r.position LIMIT ?"""
_DONE = """SELECT * FROM results WHERE run_id = ? AND item_id IN (SELECT value FROM json_each(?))
    AND status IN ('done', 'no_evidence', 'refused') ORDER BY n"""


def pending_page(readers: Readers, run_id: str, after: int, limit: int) -> list[tuple[int, Item]]:
    """Pending items after a position; an item that left the catalogue keeps its id as its name."""
    return [(row["position"], _item(row)) for row in readers.all(_PENDING, run_id, after, limit)]


def _item(row: sqlite3.Row) -> Item:
    if row["name"] is None:
        return Item(row["item_id"], row["item_id"])
    return Item(row["item_id"], row["name"], row["kind"], load(row["fields"]), row["reviews"])


def item_ids(readers: Readers, run_id: str, statuses: Sequence[ItemStatus]) -> list[str]:
    """The items of a run that are in one of these statuses, in its order."""
    sql = """SELECT item_id FROM run_items WHERE run_id = ? AND status IN (SELECT value FROM json_each(?))
        ORDER BY position"""
    return [row[0] for row in readers.all(sql, run_id, dump([ItemStatus(status).value for status in statuses]))]


def requeue(db: sqlite3.Connection, run_id: str, statuses: Sequence[ItemStatus]) -> int:
    """Items of these statuses become pending, and the run's counters follow."""
    changed = db.execute(
        """UPDATE run_items SET status = 'pending', finished_s = NULL, error = NULL
        WHERE run_id = ? AND status IN (SELECT value FROM json_each(?))""",
        (run_id, dump([ItemStatus(status).value for status in statuses])),
    )
    count_items(db, run_id)
    return changed.rowcount


def orphan(db: sqlite3.Connection, run_id: str) -> int:
    """Attempts without an end may have been paid for: they count at their reserved cost."""
    changed = db.execute(
        "UPDATE attempts SET state = 'orphaned', cost_nano = reserved_nano WHERE run_id = ? AND state = 'started'",
        (run_id,),
    )
    return changed.rowcount


def node_results(readers: Readers, run_id: str, item_ids: Sequence[str]) -> dict[str, list[NodeResult]]:
    """Accepted results by item, in the order in which they came."""
    by_item: dict[str, list[NodeResult]] = {}
    for row, evidence in with_evidence(readers, run_id, readers.all(_DONE, run_id, dump(list(item_ids)))):
        by_item.setdefault(row["item_id"], []).append(_result(row, evidence))
    return by_item


def _result(row: sqlite3.Row, evidence: tuple[Evidence, ...]) -> NodeResult:
    return NodeResult(
        run_id=row["run_id"],
        item_id=row["item_id"],
        stage=row["stage"],
        part=row["part"],
        text=row["text"],
        status=row["status"],
        evidence=evidence,
        citations=load_citations(row["citations"]),
        flags=load_flags(row["flags"]),
        model=row["model"],
        cost_usd=to_usd(row["cost_nano"]),
        input_hash=row["input_hash"],
        error=row["error"],
    )
