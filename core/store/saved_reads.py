"""How much work single items of a run were: the spread behind the time that parallelism saved."""

from __future__ import annotations

from core.store.connection import Readers

MOST = 1000
_ITEM_WORK = """SELECT sum(a.service_s) FROM attempts AS a WHERE a.run_id = ?1 AND a.item_id IN (
    SELECT item_id FROM run_items WHERE run_id = ?1 AND status <> 'pending' AND position % ?2 = 0 LIMIT ?3)
    AND a.service_s IS NOT NULL GROUP BY a.item_id"""


def item_work(readers: Readers, run_id: str) -> list[float]:
    """Service seconds of items that have ended, in ascending order; of a large run every so many-th."""
    ended = readers.value("SELECT selected - pending FROM runs WHERE id = ?", run_id)
    step = max(1, -(-ended // MOST))
    return sorted(float(row[0]) for row in readers.all(_ITEM_WORK, run_id, step, MOST))


def gate_means(readers: Readers, run_id: str) -> dict[str, float]:
    """Mean calls in flight by resource, over the samples."""
    sql = "SELECT resource, avg(in_flight_avg) FROM samples WHERE run_id = ? GROUP BY resource"
    return {row[0]: float(row[1]) for row in readers.all(sql, run_id)}
