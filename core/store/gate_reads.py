"""What the gates of a run did: thinned over time, at this moment, and over the whole run."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from core.base.views import GateSample
from core.store.connection import Readers

_THINNED = """SELECT avg(t), resource, round(avg("limit")), round(avg(in_flight)), round(avg(waiting)),
    avg(in_flight_avg), avg(full_share), max(peak) FROM samples WHERE run_id = ?1
    GROUP BY resource, CAST((t - ?2) / ?3 AS INTEGER) ORDER BY avg(t), resource"""
_LATEST = """SELECT s.t, s.resource, s."limit", s.in_flight, s.waiting, s.in_flight_avg, s.full_share, g.peak
    FROM gates AS g JOIN samples AS s ON s.run_id = g.run_id AND s.resource = g.resource AND s.t = g.last_t
    WHERE g.run_id = ? ORDER BY g.resource"""

JUST_OVER = 1.000001  # so that the last sample falls into the last stretch and not into one of its own


class GateSum(NamedTuple):
    """A gate over the whole run: the share of time in which it was full, and the most permits ever out."""

    resource: str
    full_share: float
    peak: int


def samples(readers: Readers, run_id: str, max_points: int) -> tuple[GateSample, ...]:
    """Averages over equal stretches of time, at most so many per gate."""
    begin, end = readers.all("SELECT min(t), max(t) FROM samples WHERE run_id = ?", run_id)[0]
    if begin is None:
        return ()
    width = max((end - begin) * JUST_OVER / max(1, max_points), 1e-3)
    return tuple(_sample(row) for row in readers.all(_THINNED, run_id, begin, width))


def latest(readers: Readers, run_id: str) -> dict[str, GateSample]:
    """The last sample of each gate, with its peak over the whole run."""
    return {row["resource"]: _sample(row) for row in readers.all(_LATEST, run_id)}


def sums(readers: Readers, run_id: str) -> list[GateSum]:
    """Each gate over the whole run, the fullest first."""
    sql = """SELECT resource, CASE WHEN seconds > 0 THEN full_s / seconds ELSE 0.0 END, peak FROM gates
        WHERE run_id = ? ORDER BY 2 DESC, resource"""
    return [GateSum(*row) for row in readers.all(sql, run_id)]


def _sample(row: sqlite3.Row) -> GateSample:
    t, resource, limit, in_flight, waiting, in_flight_avg, full_share, peak = row
    return GateSample(t, resource, int(limit), int(in_flight), int(waiting), in_flight_avg, full_share, peak)
