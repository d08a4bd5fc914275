"""Single requests, as the timeline and the list of errors show them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from core.base.views import AttemptView
from core.store.codec import load
from core.store.connection import Readers
from core.store.money import to_usd

ERRORS = ("failed", "rate_limited", "refused", "orphaned")
STATES = ("started", "ok", "cancelled", *ERRORS)
_SELECT = """SELECT a.*, a.started_at - coalesce(runs.started_at, runs.created_at) AS t
    FROM attempts AS a JOIN runs ON runs.id = a.run_id"""


def timeline(readers: Readers, run_id: str, item_id: str) -> list[AttemptView]:
    """One item's requests by the time they were sent."""
    rows = readers.all(f"{_SELECT} WHERE a.run_id = ? AND a.item_id = ? ORDER BY a.started_at, a.id", run_id, item_id)
    return [_view(row) for row in rows]


def newest(readers: Readers, run_id: str, states: Sequence[str], limit: int, offset: int = 0) -> list[AttemptView]:
    """Requests in any of these states, newest first: so many of each are read, and the newest of them kept."""
    sql = f"{_SELECT} WHERE a.run_id = ? AND a.state = ? ORDER BY a.id DESC LIMIT ?"
    rows = [row for state in states for row in readers.all(sql, run_id, state, limit + offset)]
    rows.sort(key=lambda row: int(row["id"]), reverse=True)
    return [_view(row) for row in rows[offset : offset + limit]]


def _view(row: sqlite3.Row) -> AttemptView:
    return AttemptView(
        id=row["id"],
        item_id=row["item_id"],
        stage=row["stage"],
        parts=tuple(load(row["parts"])),
        number=row["number"],
        resource=row["resource"],
        endpoint=row["endpoint"],
        model=row["model"],
        state=row["state"],
        t=row["t"],
        queue_s=row["queue_s"],
        service_s=row["service_s"],
        ttft_s=row["ttft_s"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cost_usd=to_usd(row["cost_nano"]),
        status=row["status"],
        error=row["error"],
        max_tokens=row["max_tokens"],
        temperature=row["temperature"],
        why=row["why"],
    )
