"""What a run waited for, slice by slice: seconds per resource in slices of five seconds, beside those watched."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from core.base.tuning_views import ConstraintSlice, Share
from core.store.connection import Readers
from core.store.slices import SLICE
from core.store.writer import Work

WATCHED = ""
_ADD = """INSERT INTO constraints (run_id, slice, resource, name, seconds) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET seconds = seconds + excluded.seconds"""
_SUMS = """SELECT resource, name, sum(seconds) FROM constraints WHERE run_id = ? AND slice >= ?
    GROUP BY resource, name ORDER BY 3 DESC, 1, 2"""
_SLICES = """SELECT slice / ?2 AS s, resource, name, sum(seconds) FROM constraints WHERE run_id = ?1
    GROUP BY s, resource, name ORDER BY s, resource, name"""


class Waited(NamedTuple):
    """Seconds for which a run waited for a resource; resource '' counts all the seconds that it was watched."""

    resource: str
    name: str
    seconds: float


Watched = tuple[str, float, Sequence[Waited]]


class ConstraintGauges(Work):
    """Adds what a run waited for up to some moment (seconds since its start)."""

    def apply(self, db: sqlite3.Connection, payloads: Sequence[Watched]) -> list[None]:
        for run_id, t, waits in payloads:
            number = max(0, int(t // SLICE))
            db.executemany(_ADD, [(run_id, number, w.resource, w.name, w.seconds) for w in waits])
        return [None] * len(payloads)


def shares(readers: Readers, run_id: str, since: float = 0.0) -> tuple[float, tuple[Share, ...]]:
    """The seconds watched since then, and each resource's share of them, the largest first."""
    rows = readers.all(_SUMS, run_id, int(since // SLICE))
    watched = sum(seconds for resource, _, seconds in rows if resource == WATCHED)
    if not watched:
        return 0.0, ()
    return watched, tuple(Share(r, name, min(1.0, seconds / watched)) for r, name, seconds in rows if r != WATCHED)


def slices(readers: Readers, run_id: str, width_s: float) -> tuple[ConstraintSlice, ...]:
    """The shares over time, in slices of that width (a multiple of five seconds)."""
    factor = max(1, round(width_s / SLICE))
    rows = readers.all(_SLICES, run_id, factor)
    watched = {s: seconds for s, resource, _, seconds in rows if resource == WATCHED}
    return tuple(
        ConstraintSlice(float(s * factor * SLICE), float(factor * SLICE), resource, name, seconds / watched[s])
        for s, resource, name, seconds in rows
        if resource != WATCHED and watched.get(s)
    )
