"""Stored results with the evidence behind them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from core.base.records import Evidence
from core.base.views import ResultView
from core.store.codec import load_citations, load_flags
from core.store.connection import Readers
from core.store.evidence import with_evidence
from core.store.money import to_usd

PAGE = 200
_SELECT = """SELECT o.*, coalesce(i.name, r.item_id) AS item_name FROM run_items AS r
    JOIN runs ON runs.id = r.run_id
    JOIN results AS o ON o.run_id = r.run_id AND o.item_id = r.item_id
    LEFT JOIN items AS i ON i.kind = runs.item_kind AND i.id = r.item_id"""


def results(
    readers: Readers, run_id: str, item_id: str | None, stage: str | None, limit: int, offset: int
) -> list[ResultView]:
    """A page of a run's results, or of one item's or one stage's."""
    rows = readers.all(
        f"""{_SELECT} WHERE r.run_id = ?1 AND (?2 IS NULL OR r.item_id = ?2) AND (?3 IS NULL OR o.stage = ?3)
        ORDER BY r.position, o.n LIMIT ?4 OFFSET ?5""",
        run_id,
        item_id,
        stage,
        limit,
        offset,
    )
    return _views(readers, run_id, rows)


def iter_results(readers: Readers, run_id: str) -> Iterator[ResultView]:
    """Every result, by item position; each page is read by itself, so that no transaction stays open."""
    last = readers.value("SELECT coalesce(max(position), -1) FROM run_items WHERE run_id = ?", run_id)
    sql = f"{_SELECT} WHERE r.run_id = ? AND r.position >= ? AND r.position < ? ORDER BY r.position, o.n"
    for first in range(0, last + 1, PAGE):
        yield from _views(readers, run_id, readers.all(sql, run_id, first, first + PAGE))


def _views(readers: Readers, run_id: str, rows: Sequence[sqlite3.Row]) -> list[ResultView]:
    return [_view(row, evidence) for row, evidence in with_evidence(readers, run_id, rows)]


def _view(row: sqlite3.Row, evidence: tuple[Evidence, ...]) -> ResultView:
    return ResultView(
        item_id=row["item_id"],
        item_name=row["item_name"],
        stage=row["stage"],
        part=row["part"],
        status=row["status"],
        text=row["text"],
        evidence=evidence,
        citations=load_citations(row["citations"]),
        flags=load_flags(row["flags"]),
        model=row["model"],
        cost_usd=to_usd(row["cost_nano"]),
        error=row["error"],
    )
