"""Sweeps and what they measured: each belongs to a run, whose status, reason and cost are the run's own."""

from __future__ import annotations

import builtins
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from core.base.clock import Clock
from core.base.errors import UnknownError
from core.base.views import RunView, SweepPoint, SweepView
from core.store.codec import dump, load
from core.store.connection import Readers
from core.store.money import to_nano, to_usd
from core.store.run_views import view_run
from core.store.writer import Writer

_HEAD = ("run_id", "resource", "endpoint", "url", "server", "model", "limits", "slo_p95_s")
_PLAIN = (
    "limit", "calls_per_s", "tokens_per_s", "latency_s", "p95_s", "error", "in_flight", "samples", "at", "tokens",
    "slope", "p50_s", "calls", "failed", "rate_limited",
)  # fmt: skip
_INSERT = f"INSERT OR IGNORE INTO sweeps ({', '.join(_HEAD)}) VALUES ({', '.join('?' * len(_HEAD))})"  # noqa: S608 - names are constants, values are bound
_COLUMNS = ", ".join(f'"{name}"' for name in _PLAIN)
_POINT = f"""INSERT INTO sweep_points (run_id, {_COLUMNS}, cost_item_nano)
    VALUES ({", ".join("?" * (len(_PLAIN) + 2))})"""  # noqa: S608 - constants
_SELECT = """SELECT s.*, r.who FROM sweeps AS s JOIN runs AS r ON r.id = s.run_id"""


class Sweeps:
    """The table of sweeps; writing returns once durable."""

    def __init__(self, readers: Readers, writer: Writer, clock: Clock) -> None:
        self._readers = readers
        self._writer = writer
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Sweeps {self._readers!r}>"

    def create(
        self,
        run_id: str,
        *,
        resource: str,
        endpoint: str,
        url: str,
        server: str,
        model: str,
        limits: Sequence[int],
        slo_p95_s: float | None,
    ) -> None:
        """Say that a run is a sweep; one that is resumed stays the sweep it was."""
        row = (run_id, resource, endpoint, url, server, model, dump(list(limits)), slo_p95_s)
        self._writer.run(lambda db: _execute(db, _INSERT, row))

    def add(self, run_id: str, point: SweepPoint) -> None:
        """Keep what was measured at one limit."""
        row = (run_id, *(getattr(point, name) for name in _PLAIN), to_nano(point.cost_item_usd))
        self._writer.run(lambda db: _execute(db, _POINT, row))

    def end(self, run_id: str, outcome: str, why: str) -> None:
        """Say how a sweep came out: `finished` or `short`, and in a sentence what was found."""
        row = (outcome, why, run_id)
        self._writer.run(lambda db: _execute(db, "UPDATE sweeps SET outcome = ?, why = ? WHERE run_id = ?", row))

    def view(self, run_id: str) -> SweepView:
        """A sweep with its points; `last` is the newest. UnknownError names some."""
        where = "ORDER BY r.n DESC LIMIT 1" if run_id == "last" else "WHERE s.run_id = ?"
        row = self._readers.one(f"{_SELECT} {where}", *([] if run_id == "last" else [run_id]))
        if row is None:
            raise self._unknown(run_id)
        return self._view(row)

    def list(
        self, *, workload: str | None = None, resource: str | None = None, limit: int = 50
    ) -> builtins.list[SweepView]:
        """Sweeps with their points, newest first."""
        sql = f"""{_SELECT} WHERE (?1 IS NULL OR r.workload = ?1) AND (?2 IS NULL OR s.resource = ?2)
            ORDER BY r.n DESC LIMIT ?3"""
        return [self._view(row) for row in self._readers.all(sql, workload, resource, limit)]

    def points(self, run_id: str) -> tuple[SweepPoint, ...]:
        """What a sweep has measured so far, in the order of measuring."""
        rows = self._readers.all("SELECT * FROM sweep_points WHERE run_id = ? ORDER BY n", run_id)
        return tuple(_point(row) for row in rows)

    def _view(self, row: sqlite3.Row) -> SweepView:
        run = view_run(self._readers, row["run_id"], self._clock.wall())
        return replace(_sweep(row, run), points=self.points(run.id))

    def _unknown(self, run_id: str) -> UnknownError:
        some = self._readers.all("SELECT run_id FROM sweeps ORDER BY run_id DESC LIMIT 5")
        known = f"The last ones are {', '.join(r[0] for r in some)}." if some else "There are none yet."
        return UnknownError(f"There is no sweep {run_id!r}. {known} Start one: python -m core sweep --items all")


def _execute(db: sqlite3.Connection, sql: str, row: Sequence[Any]) -> None:
    db.execute(sql, row)


def _sweep(row: sqlite3.Row, run: RunView) -> SweepView:
    return SweepView(
        id=run.id,
        at=run.created_at,
        who=row["who"],
        workload=run.workload,
        resource=row["resource"],
        endpoint=row["endpoint"],
        url=row["url"],
        server=row["server"],
        model=row["model"],
        limits=tuple(load(row["limits"])),
        slo_p95_s=row["slo_p95_s"],
        status=run.status,
        reason=run.reason,
        outcome=row["outcome"],
        why=row["why"],
        ended_at=run.ended_at,
        cost_usd=run.cost_usd,
        owner_alive=run.owner_alive,
    )


def _point(row: sqlite3.Row) -> SweepPoint:
    return SweepPoint(**{name: row[name] for name in _PLAIN}, cost_item_usd=to_usd(row["cost_item_nano"]))
