"""What the gates did, once a second: the samples themselves and a running sum per gate."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from core.base.views import GateSample
from core.store.writer import Work

LONGEST_GAP_S = 5.0
_SAMPLE = """INSERT OR REPLACE INTO samples
    (run_id, resource, t, "limit", in_flight, waiting, in_flight_avg, full_share, peak)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
# A sample speaks for the time since the one before; after a pause of the process for five seconds at most.
_SUM = f"""INSERT INTO gates (run_id, resource, last_t, seconds, full_s, peak)
    VALUES (?1, ?2, ?3, min(?3, {LONGEST_GAP_S}), min(?3, {LONGEST_GAP_S}) * ?4, ?5)
    ON CONFLICT DO UPDATE SET last_t = ?3, peak = max(peak, ?5),
    seconds = seconds + min(abs(?3 - last_t), {LONGEST_GAP_S}),
    full_s = full_s + min(abs(?3 - last_t), {LONGEST_GAP_S}) * ?4"""  # noqa: S608 - a constant of ours

Samples = tuple[str, Sequence[GateSample]]


class Gauges(Work):
    """Samples of a run's gates."""

    def apply(self, db: sqlite3.Connection, payloads: Sequence[Samples]) -> list[None]:
        for run_id, samples in payloads:
            for sample in samples:
                _write(db, run_id, sample)
        return [None] * len(payloads)


def _write(db: sqlite3.Connection, run_id: str, s: GateSample) -> None:
    row = (run_id, s.resource, s.t, s.limit, s.in_flight, s.waiting, s.in_flight_avg, s.full_share, s.peak)
    db.execute(_SAMPLE, row)
    db.execute(_SUM, (run_id, s.resource, s.t, s.full_share, s.peak))
