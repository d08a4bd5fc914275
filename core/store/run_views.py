"""Run rows as views: counters, money, and whether somebody is at work on them."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from core.base.records import RunStatus
from core.base.views import RunView
from core.store.codec import load
from core.store.connection import Readers
from core.store.leases import Held
from core.store.money import total_usd
from core.store.spill import Spill
from core.store.statuses import WORKING, Standing, unknown_run

_SELECT = """SELECT r.*, coalesce(l.owner, '') AS owner, coalesce(l.token, 0) AS token,
    coalesce(l.expires_at, 0) AS expires_at, coalesce(l.renewed_at, 0) AS renewed_at
    FROM runs AS r LEFT JOIN leases AS l ON l.run_id = r.id"""
_RECENT = "ORDER BY r.created_at DESC, r.n DESC"


def view_run(readers: Readers, run_id: str, now: float) -> RunView:
    """A run by id, or the newest as `last`; UnknownError names the last five."""
    where = _RECENT if run_id == "last" else "WHERE r.id = ?"
    row = readers.one(f"{_SELECT} {where} LIMIT 1", *([] if run_id == "last" else [run_id]))
    if row is None:
        raise unknown_run(run_id, [r["id"] for r in readers.all("SELECT id FROM runs ORDER BY n DESC LIMIT 5")])
    return to_view(row, now, Spill(readers.path).standings().get(row["id"]))


def list_runs(readers: Readers, limit: int, offset: int, workload: str | None, now: float) -> list[RunView]:
    """Runs, newest first."""
    rows = readers.all(
        f"{_SELECT} WHERE ?1 IS NULL OR r.workload = ?1 {_RECENT} LIMIT ?2 OFFSET ?3", workload, limit, offset
    )
    kept = Spill(readers.path).standings()
    return [to_view(row, now, kept.get(row["id"])) for row in rows]


def to_view(row: sqlite3.Row, now: float, kept: Standing | None = None) -> RunView:
    """A joined row as a view; a run at work whose owner is dead shows as crashed.

    `kept`: what stands beside the database, because that could not take it in, of how the run ended.
    """
    if kept is not None and kept.newer_than(row):
        return replace(_view(row, kept.at), status=kept.status, reason=kept.reason, owner="", owner_alive=False)
    return _view(row, now)


def _view(row: sqlite3.Row, now: float) -> RunView:
    lease = Held(row["owner"], row["token"], row["expires_at"], row["renewed_at"])
    alive = lease.alive(now)
    status = RunStatus(row["status"])
    crashed = status in WORKING and bool(lease.owner) and not alive
    return RunView(
        id=row["id"],
        workload=row["workload"],
        status=RunStatus.CRASHED if crashed else status,
        reason=_crash_reason(lease) if crashed else row["reason"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        settings=load(row["settings"]),
        **{name: row[name] for name in COUNTERS},
        wall_s=row["active_s"] + _since_resumed(row, lease.renewed_at if crashed else now),
        cost_usd=total_usd(row["cost_nano"], row["priced"], row["unpriced"]),
        unpriced_calls=row["unpriced"],
        search_limit=row["search_limit"],
        llm_limit=row["llm_limit"],
        owner=lease.owner,
        owner_alive=alive,
        measures=load(row["measures"]),
    )


COUNTERS = ("selected", "done", "failed", "refused", "no_reviews", "pending")


def _crash_reason(lease: Held) -> str:
    return f"Its process {lease.owner} ended without a word. Resume it: what is done is kept."


def _since_resumed(row: sqlite3.Row, until: float) -> float:
    return max(0.0, until - row["resumed_at"]) if row["resumed_at"] is not None else 0.0
