"""What requests took in earlier runs of a workload: the basis of a forecast."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from statistics import fmean

from core.base.views import StageHistory
from core.store.connection import Readers
from core.store.money import to_usd

RUNS = 5
REQUESTS = 2000
_RUNS = "SELECT id FROM runs WHERE workload = ? AND status = 'finished' ORDER BY n DESC LIMIT ?"
_REQUESTS = """SELECT run_id, stage, resource, model, service_s, coalesce(input_tokens, 0) AS input_tokens,
    coalesce(output_tokens, 0) AS output_tokens, cost_nano
    FROM attempts WHERE run_id = ? AND state = 'ok' ORDER BY id DESC LIMIT ?"""


def history(readers: Readers, workload: str) -> list[StageHistory]:
    """Exact figures over the last successful requests of the last finished runs, by stage and model."""
    groups: dict[tuple[str, str, str], list[sqlite3.Row]] = {}
    for (run_id,) in readers.all(_RUNS, workload, RUNS):
        for row in readers.all(_REQUESTS, run_id, REQUESTS):
            groups.setdefault((row["stage"], row["resource"], row["model"]), []).append(row)
    return [_stage(*key, rows) for key, rows in groups.items()]


def _stage(stage: str, resource: str, model: str, rows: Sequence[sqlite3.Row]) -> StageHistory:
    service = sorted(float(row["service_s"]) for row in rows)
    costs = sorted(int(row["cost_nano"]) for row in rows if row["cost_nano"] is not None)
    return StageHistory(
        stage=stage,
        resource=resource,
        model=model,
        runs=len({row["run_id"] for row in rows}),
        requests=len(rows),
        service_s=fmean(service),
        service_p10_s=_quantile(service, 0.1),
        service_p90_s=_quantile(service, 0.9),
        input_tokens=fmean(row["input_tokens"] for row in rows),
        output_tokens=fmean(row["output_tokens"] for row in rows),
        cost_usd=to_usd(round(fmean(costs))) if costs else None,
        cost_p10_usd=_usd_quantile(costs, 0.1),
        cost_p90_usd=_usd_quantile(costs, 0.9),
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[round(share * (len(ordered) - 1))]


def _usd_quantile(ordered: Sequence[int], share: float) -> Decimal | None:
    return to_usd(int(_quantile(ordered, share))) if ordered else None
