"""What each endpoint of a run did, once a second: written with the gates' samples, thinned when read."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from core.base.views import LaneSample
from core.store.connection import Readers
from core.store.gate_reads import JUST_OVER
from core.store.writer import Work, Writer

MOST_POINTS = 600
_INSERT = """INSERT OR REPLACE INTO lane_samples (run_id, t, endpoint, "limit", in_flight, waiting, latency_s, state,
    pacing_s, rate_limited, successes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
# A stretch of time: its averages, its calls in all, and the worst that its breaker was in.
_WORST = "CASE max(CASE state WHEN 'open' THEN 3 WHEN 'half_open' THEN 2 WHEN 'draining' THEN 1 ELSE 0 END) \
WHEN 3 THEN 'open' WHEN 2 THEN 'half_open' WHEN 1 THEN 'draining' ELSE 'closed' END"
_THINNED = f"""SELECT avg(t), endpoint, round(avg("limit")), round(avg(in_flight)), round(avg(waiting)),
    avg(latency_s), {_WORST}, avg(pacing_s), sum(rate_limited), sum(successes) FROM lane_samples WHERE run_id = ?1
    GROUP BY endpoint, CAST((t - ?2) / ?3 AS INTEGER) ORDER BY avg(t), endpoint"""  # noqa: S608 - constants
# Endpoint by endpoint through the key, so that a run of a week costs no more than one of a minute.
_LATEST = """WITH RECURSIVE known (name) AS (
    SELECT min(endpoint) FROM lane_samples WHERE run_id = ?1
    UNION ALL
    SELECT (SELECT min(endpoint) FROM lane_samples WHERE run_id = ?1 AND endpoint > name) FROM known
    WHERE name IS NOT NULL)
    SELECT s.t, s.endpoint, s."limit", s.in_flight, s.waiting, s.latency_s, s.state, s.pacing_s, s.rate_limited,
    s.successes FROM known JOIN lane_samples AS s ON s.run_id = ?1 AND s.endpoint = known.name
    AND s.t = (SELECT max(t) FROM lane_samples WHERE run_id = ?1 AND endpoint = known.name)"""

Samples = tuple[str, Sequence[LaneSample]]


class _Samples(Work):
    """Samples on their way to the table."""

    def apply(self, db: sqlite3.Connection, payloads: Sequence[Samples]) -> list[None]:
        for run_id, samples in payloads:
            for s in samples:
                facts = (s.in_flight, s.waiting, s.latency_s, s.state, s.pacing_s, s.rate_limited, s.successes)
                db.execute(_INSERT, (run_id, s.t, s.endpoint, s.limit, *facts))
        return [None] * len(payloads)


class Lanes:
    """The table of endpoints over time."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer
        self._work = _Samples()

    def __repr__(self) -> str:
        return f"<Lanes {self._readers!r}>"

    def post(self, run_id: str, samples: Sequence[LaneSample]) -> None:
        """Record what the endpoints did; does not wait."""
        self._writer.post(self._work, (run_id, samples))

    def latest(self, run_id: str) -> tuple[LaneSample, ...]:
        """The last sample of each endpoint."""
        return tuple(_sample(row) for row in self._readers.all(_LATEST, run_id))

    def samples(self, run_id: str, width_s: float | None = None) -> tuple[LaneSample, ...]:
        """Averages (calls: sums) over stretches of `width_s` seconds; None: at most 600 stretches per endpoint."""
        begin, end = self._readers.all("SELECT min(t), max(t) FROM lane_samples WHERE run_id = ?", run_id)[0]
        if begin is None:
            return ()
        width = width_s or max((end - begin) * JUST_OVER / MOST_POINTS, 1e-3)
        return tuple(_sample(row) for row in self._readers.all(_THINNED, run_id, begin, max(width, 1e-3)))


def _sample(row: sqlite3.Row) -> LaneSample:
    t, endpoint, limit, in_flight, waiting, latency_s, state, pacing_s, rate_limited, successes = row
    counts = int(limit), int(in_flight), int(waiting)
    return LaneSample(t, endpoint, *counts, latency_s, state, pacing_s, rate_limited, successes)
