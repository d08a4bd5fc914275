"""What a run came to: the figures of `run --json` and the items that cost most."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from core.base.views import RunView, StageStats
from core.store import gate_reads, stage_reads
from core.store.connection import Readers
from core.store.money import to_usd


def measures(readers: Readers, run: RunView) -> dict[str, Any]:
    """Calls, retries, tokens, money and times of a run, as JSON-ready values."""
    stages = stage_reads.stages(readers, run.id)
    service_s = sum(stage.service_s for stage in stages)
    first, median = _result_times(readers, run.id)
    return {
        "calls": _calls(stages),
        "retries": sum(stage.retries for stage in stages),
        "rate_limited": sum(stage.rate_limited for stage in stages),
        "tokens": {
            "input": sum(stage.input_tokens for stage in stages),
            "output": sum(stage.output_tokens for stage in stages),
        },
        "cost_usd": None if run.cost_usd is None else float(run.cost_usd),
        "service_s": service_s,
        "time_saved_s": max(0.0, service_s - run.wall_s),
        "first_result_s": first,
        "median_result_s": median,
        "cached": _marked(readers, run.id, "cached"),
        "reused": _marked(readers, run.id, "reused"),
        "peak": {"search": 0, "llm": 0} | {gate.resource: gate.peak for gate in gate_reads.sums(readers, run.id)},
    }


def _marked(readers: Readers, run_id: str, flag: str) -> int:
    """Results with a flag that says that they cost no call; each such flag has an index of its own."""
    sql = f"SELECT count(*) FROM results WHERE run_id = ? AND instr(flags, '\"{flag}\"') > 0"  # noqa: S608 - constants
    return int(readers.value(sql, run_id))


def _calls(stages: tuple[StageStats, ...]) -> dict[str, int]:
    calls = Counter({"search": 0, "llm": 0})
    for stage in stages:
        calls[stage.resource] += stage.calls
    return dict(calls)


def _result_times(readers: Readers, run_id: str) -> tuple[float | None, float | None]:
    """When the first and the median item were done."""
    where = "FROM run_items WHERE run_id = ? AND status = 'done' AND finished_s IS NOT NULL"
    first, count = readers.all(f"SELECT min(finished_s), count(*) {where}", run_id)[0]
    median = readers.value(f"SELECT finished_s {where} ORDER BY 1 LIMIT 1 OFFSET ?", run_id, count // 2)
    return first, median


def cost_by_item(readers: Readers, run_id: str, limit: int) -> list[tuple[str, str, Decimal]]:
    """The most expensive finished items."""
    sql = """SELECT r.item_id, coalesce(i.name, r.item_id), r.cost_nano FROM run_items AS r
        JOIN runs ON runs.id = r.run_id LEFT JOIN items AS i ON i.kind = runs.item_kind AND i.id = r.item_id
        WHERE r.run_id = ? AND r.cost_nano > 0 ORDER BY r.cost_nano DESC LIMIT ?"""
    return [(row[0], row[1], to_usd(row[2]) or Decimal(0)) for row in readers.all(sql, run_id, limit)]
