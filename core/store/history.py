"""What requests took in earlier runs of a workload: the basis of a forecast."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from statistics import fmean
from typing import Any, NamedTuple

from core.base.views import StageHistory
from core.store.codec import load
from core.store.connection import Readers
from core.store.crowds import crowds, levels
from core.store.money import to_usd

RUNS = 5
REQUESTS = 2000
FAILURES = 500
ENOUGH = 30
QUANTILES = 40
ITEMS = 200
_RUNS = "SELECT id FROM runs WHERE workload = ? AND status = 'finished' ORDER BY n DESC LIMIT ?"
_CALLS = """SELECT id, run_id, item_id, stage, resource, model, endpoint, parts, started_at, service_s, state,
    coalesce(input_tokens, 0) AS input_tokens, coalesce(output_tokens, 0) AS output_tokens, cost_nano
    FROM attempts WHERE run_id = ? AND state = ? AND id > ? AND started_at < ? ORDER BY id DESC LIMIT ?"""
_SKIPPED = """SELECT stage, sum(status = 'no_evidence') AS skipped, count(*) AS parts FROM results
    WHERE run_id = ? AND item_id IN ({}) GROUP BY stage"""
FAILED = ("failed", "rate_limited")


class Key(NamedTuple):
    """What calls must have in common to be told by the same figures."""

    stage: str
    resource: str
    model: str
    endpoint: str
    parts: int


class Call(NamedTuple):
    """One settled request: `crowd` is the mean number in flight at its endpoint meanwhile."""

    run_id: str
    ok: bool
    crowd: float
    service_s: float
    input_tokens: int
    output_tokens: int
    cost_nano: int | None


class Sources(NamedTuple):
    """What the runs say besides their calls: the share of a stage's parts without a call, and commit seconds."""

    skipped: dict[str, float]
    commit_s: float


Groups = dict[Key, list[Call]]


def history(readers: Readers, workload: str) -> list[StageHistory]:
    """Exact figures over the last requests of the workload's last finished runs, newest first."""
    return history_of(readers, history_runs(readers, workload))


def history_runs(readers: Readers, workload: str) -> tuple[str, ...]:
    """The workload's last finished runs, newest first."""
    return tuple(run_id for (run_id,) in readers.all(_RUNS, workload, RUNS))


def history_of(readers: Readers, runs: Sequence[str], until: float = float("inf")) -> list[StageHistory]:
    """The same over these runs, newest first, whatever their state, and what they sent before `until` (wall)."""
    groups: Groups = {}
    items: dict[str, list[str]] = {}
    for run_id in runs:
        rows = _rows(readers, run_id, until)
        items[run_id] = list(dict.fromkeys(row["item_id"] for row in rows if row["state"] == "ok"))[:ITEMS]
        _add(groups, rows)
    sources = Sources(_skipped(readers, items), _commit_s(readers, runs))
    return [_stage(key, calls, sources) for key, calls in groups.items() if any(call.ok for call in calls)]


def _rows(readers: Readers, run_id: str, until: float) -> list[sqlite3.Row]:
    """A run's last successful requests and the failures among them, in the order in which they were sent."""
    rows = readers.all(_CALLS, run_id, "ok", 0, until, REQUESTS)
    first = rows[-1]["id"] if len(rows) == REQUESTS else 0
    for state in FAILED:
        rows += readers.all(_CALLS, run_id, state, first, until, FAILURES)
    return sorted(rows, key=lambda row: float(row["started_at"]))


def _add(groups: Groups, rows: Sequence[sqlite3.Row]) -> None:
    """Sort a run's requests into groups, each with how many were in flight at its endpoint.

    Of a run that was cut off at the most rows, those whose company may not have been read are left out.
    """
    since = _complete_from(rows) if len(rows) >= REQUESTS else 0.0
    for endpoint in dict.fromkeys(row["endpoint"] for row in rows):
        there = [row for row in rows if row["endpoint"] == endpoint]
        spans = [(row["started_at"], row["started_at"] + (row["service_s"] or 0.0)) for row in there]
        for row, crowd in zip(there, crowds(spans), strict=True):
            if row["started_at"] >= since:
                groups.setdefault(_key(row), []).append(_call(row, crowd))


def _complete_from(rows: Sequence[sqlite3.Row]) -> float:
    """When the last of the calls had ended that were under way before the first row that was read (nearly: 99 %)."""
    longest = sorted(float(row["service_s"] or 0.0) for row in rows)
    middle = float(rows[len(rows) // 2]["started_at"])
    return min(float(rows[0]["started_at"]) + _quantile(longest, 0.99), middle)


def _key(row: sqlite3.Row) -> Key:
    return Key(row["stage"], row["resource"], row["model"], row["endpoint"], len(load(row["parts"])))


def _call(row: sqlite3.Row, crowd: float) -> Call:
    service_s = float(row["service_s"] or 0.0)
    tokens = (row["input_tokens"], row["output_tokens"])
    return Call(row["run_id"], row["state"] == "ok", crowd, service_s, *tokens, row["cost_nano"])


def _skipped(readers: Readers, items: dict[str, list[str]]) -> dict[str, float]:
    """By stage, the share of the parts that had nothing to work on, over some items of each run."""
    skipped: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    for run_id, ids in items.items():
        for row in readers.all(_SKIPPED.format(", ".join("?" * len(ids))), run_id, *ids):
            skipped[row["stage"]] += row["skipped"]
            parts[row["stage"]] += row["parts"]
    return {stage: skipped[stage] / count for stage, count in parts.items()}


def _commit_s(readers: Readers, runs: Iterable[str]) -> float:
    """Seconds of a write to the ledger in the newest run that measured it."""
    for run_id in runs:
        measures: Any = load(readers.value("SELECT measures FROM runs WHERE id = ?", run_id))
        if "commit_s" in measures:
            return float(measures["commit_s"])
    return 0.0


def _stage(key: Key, calls: Sequence[Call], sources: Sources) -> StageHistory:
    done, failed = [call for call in calls if call.ok], [call for call in calls if not call.ok]
    newest = _newest(done)
    service = sorted(call.service_s for call in newest)
    costs = sorted(call.cost_nano for call in newest if call.cost_nano is not None)
    return StageHistory(
        stage=key.stage,
        resource=key.resource,
        model=key.model,
        endpoint=key.endpoint,
        parts=key.parts,
        runs=len({call.run_id for call in done}),
        requests=len(done),
        service_s=fmean(service),
        service_p10_s=_quantile(service, 0.1),
        service_p90_s=_quantile(service, 0.9),
        quantiles=tuple(_quantile(service, n / QUANTILES) for n in range(QUANTILES + 1)),
        in_flight=fmean(call.crowd for call in newest),
        levels=levels((call.crowd, call.service_s) for call in done),
        input_tokens=fmean(call.input_tokens for call in newest),
        output_tokens=fmean(call.output_tokens for call in newest),
        cost_usd=_mean_cost(calls, newest) if costs else None,
        cost_p10_usd=_usd_quantile(costs, 0.1),
        cost_p90_usd=_usd_quantile(costs, 0.9),
        failure_share=len(failed) / len(calls),
        failure_s=fmean(call.service_s for call in failed) if failed else 0.0,
        skip_share=sources.skipped.get(key.stage, 0.0),
        commit_s=sources.commit_s,
    )


def _newest(done: Sequence[Call]) -> Sequence[Call]:
    """The successful calls of the newest run that has enough of them; all where none has."""
    runs = dict.fromkeys(call.run_id for call in done)
    for run_id in runs:
        own = [call for call in done if call.run_id == run_id]
        if len(own) >= ENOUGH:
            return own
    return done


def _mean_cost(calls: Sequence[Call], newest: Sequence[Call]) -> Decimal | None:
    """What a success cost with its failed tries, in the runs of the newest calls."""
    runs = {call.run_id for call in newest}
    spent = sum(call.cost_nano or 0 for call in calls if call.run_id in runs)
    return to_usd(round(spent / len(newest)))


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[round(share * (len(ordered) - 1))]


def _usd_quantile(ordered: Sequence[int], share: float) -> Decimal | None:
    return to_usd(int(_quantile(ordered, share))) if ordered else None
