"""A live run in one frozen piece: rates over the last ten seconds, what is left, and where it is tight."""

from __future__ import annotations

from collections import defaultdict

from core.base.records import RunStatus
from core.base.views import ControlView, RunSnapshot, RunView
from core.store import gate_reads, stage_reads
from core.store.connection import Readers
from core.store.slices import SLICE
from core.store.statuses import WORKING

WINDOW_S = 10.0
COMMANDS = 20


def snapshot(readers: Readers, run: RunView, now: float) -> RunSnapshot:
    """Everything the Run page redraws from."""
    recent = Recent(readers, run, now)
    items_per_s = recent.items_per_s()
    going = run.status is RunStatus.RUNNING and items_per_s > 0
    return RunSnapshot(
        run=run,
        gates=gate_reads.latest(readers, run.id),
        items_per_s=items_per_s,
        calls_per_s=recent.calls_per_s(),
        tokens_per_s=recent.tokens_per_s(),
        eta_s=run.pending / items_per_s if going else None,
        bottleneck=bottleneck(readers, run.id),
        stages=stage_reads.stages(readers, run.id),
        controls=_commands(readers, run.id),
    )


class Recent:
    """The slices that the last ten seconds touch; a run that is not being worked on has none."""

    def __init__(self, readers: Readers, run: RunView, now: float) -> None:
        elapsed = now - (run.started_at or run.created_at)
        self._first = max(0, int((elapsed - WINDOW_S) // SLICE))
        self._seconds = max(1.0, elapsed - self._first * SLICE)
        self._run_id = run.id
        self._readers = readers
        self._over = run.status not in WORKING
        self._rows = [] if self._over else self._read()

    def __repr__(self) -> str:
        return f"<Recent {self._run_id}, {self._seconds:.1f} s>"

    def _read(self) -> list[tuple[str, int, int]]:
        sql = """SELECT resource, sum(calls), sum(output_tokens) FROM rollups
            WHERE run_id = ? AND width = ? AND slice >= ? GROUP BY resource"""
        return [tuple(row) for row in self._readers.all(sql, self._run_id, SLICE, self._first)]

    def items_per_s(self) -> float:
        """Items that came to an end."""
        if self._over:
            return 0.0
        sql = "SELECT coalesce(sum(finished), 0) FROM progress WHERE run_id = ? AND slice >= ?"
        return float(self._readers.value(sql, self._run_id, self._first)) / self._seconds

    def calls_per_s(self) -> dict[str, float]:
        """Successful calls per resource."""
        rates: defaultdict[str, float] = defaultdict(float)
        for resource, calls, _ in self._rows:
            rates[resource] += calls / self._seconds
        return dict(rates)

    def tokens_per_s(self) -> float:
        """Output tokens."""
        return sum(tokens for _, _, tokens in self._rows) / self._seconds


def bottleneck(readers: Readers, run_id: str) -> tuple[str, float, float] | None:
    """The gate that was full longest: its name and share of time, and the next one's share; None before samples."""
    gates = gate_reads.sums(readers, run_id)
    if not gates:
        return None
    return gates[0].resource, gates[0].full_share, gates[1].full_share if len(gates) > 1 else 0.0


def _commands(readers: Readers, run_id: str) -> tuple[ControlView, ...]:
    sql = """SELECT id, run_id, at, who, action, old, new, reason, applied_at, outcome FROM controls
        WHERE run_id = ? ORDER BY id DESC LIMIT ?"""
    return tuple(ControlView(*row) for row in readers.all(sql, run_id, COMMANDS))
