"""Stages and buckets, from roll-ups: quantiles are read off merged sketches."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from core.base.views import Bucket, StageStats
from core.store.connection import Readers
from core.store.money import total_usd
from core.store.slices import COLUMNS, SLICE, WHOLE_RUN, Slice, widest

_SELECT = f"""SELECT slice, stage, resource, model, {", ".join(COLUMNS)} FROM rollups
    WHERE run_id = ? AND width = ?"""  # noqa: S608 - our own column names

Place = tuple[int, str, str, str]


def stages(readers: Readers, run_id: str) -> tuple[StageStats, ...]:
    """One row per stage and model, in the order in which the stages were first used."""
    rows = readers.all(f"{_SELECT} ORDER BY rowid", run_id, WHOLE_RUN)
    return tuple(_stats(row["stage"], row["resource"], row["model"], Slice.from_row(row)) for row in rows)


def buckets(readers: Readers, run_id: str, width_s: float) -> tuple[Bucket, ...]:
    """Slices merged into the width asked for, by time."""
    width = max(1, round(width_s / SLICE)) * SLICE
    stored = widest(width)
    rows = readers.all(f"{_SELECT} ORDER BY slice", run_id, stored)
    return tuple(_bucket(place, width, total) for place, total in _regroup(rows, width // stored).items())


def _regroup(rows: Iterable[sqlite3.Row], factor: int) -> dict[Place, Slice]:
    groups: dict[Place, Slice] = {}
    for row in rows:
        place = (row["slice"] // factor, row["stage"], row["resource"], row["model"])
        if place in groups:
            groups[place].merge(Slice.from_row(row))
        else:
            groups[place] = Slice.from_row(row)
    return groups


def _stats(stage: str, resource: str, model: str, s: Slice) -> StageStats:
    return StageStats(
        stage=stage,
        resource=resource,
        model=model,
        attempts=s.attempts,
        calls=s.calls,
        ok=s.ok,
        failed=s.failed,
        rate_limited=s.rate_limited,
        retries=s.retries,
        p50_s=s.service.quantile(0.5),
        p95_s=s.service.quantile(0.95),
        p99_s=s.service.quantile(0.99),
        queue_p50_s=s.queue.quantile(0.5),
        queue_p95_s=s.queue.quantile(0.95),
        ttft_p50_s=s.ttft.quantile(0.5),
        ttft_p95_s=s.ttft.quantile(0.95),
        service_s=s.service_s,
        input_tokens=s.input_tokens,
        output_tokens=s.output_tokens,
        cost_usd=total_usd(s.cost_nano, s.priced, s.unpriced),
        unpriced_calls=s.unpriced,
    )


def _bucket(place: Place, width: int, s: Slice) -> Bucket:
    number, stage, resource, model = place
    return Bucket(
        t=float(number * width),
        width_s=float(width),
        stage=stage,
        resource=resource,
        model=model,
        attempts=s.attempts,
        ok=s.ok,
        failed=s.failed,
        rate_limited=s.rate_limited,
        p50_s=s.service.quantile(0.5),
        p95_s=s.service.quantile(0.95),
        output_tokens=s.output_tokens,
        cost_usd=total_usd(s.cost_nano, s.priced, s.unpriced),
    )
