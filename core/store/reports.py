"""What pages and `--json` read: sums from the roll-ups, single rows from the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from math import inf
from typing import Any

from core.base.clock import Clock
from core.base.tuning_views import ConstraintSlice, Share, Window
from core.base.views import (
    AttemptView,
    Bucket,
    GateSample,
    ResultView,
    RunSnapshot,
    StageHistory,
    StageStats,
)
from core.store import (
    attempt_reads,
    constraints,
    gate_reads,
    live,
    result_reads,
    saved_reads,
    stage_reads,
    totals,
    window_reads,
)
from core.store.connection import Readers
from core.store.history import history, history_of, history_runs
from core.store.run_views import view_run
from core.store.window_reads import Change


class Reports:
    """Reading only; every method takes a run id (or `last`) and raises UnknownError for one that does not exist."""

    def __init__(self, readers: Readers, clock: Clock) -> None:
        self._readers = readers
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Reports {self._readers!r}>"

    def stages(self, run_id: str) -> tuple[StageStats, ...]:
        """Counts, latencies, tokens and money per stage and model over the whole run."""
        return stage_reads.stages(self._readers, self._id(run_id))

    def costs(self, run_id: str) -> tuple[StageStats, ...]:
        """The same, for who asks about money."""
        return self.stages(run_id)

    def buckets(self, run_id: str, width_s: float = 5.0) -> tuple[Bucket, ...]:
        """The same over time, in slices of that width (a multiple of five seconds; sixty reads least)."""
        return stage_reads.buckets(self._readers, self._id(run_id), width_s)

    def samples(self, run_id: str, max_points: int = 600) -> tuple[GateSample, ...]:
        """What the gates did, in order of time; averaged down to at most so many points per gate."""
        return gate_reads.samples(self._readers, self._id(run_id), max_points)

    def snapshot(self, run_id: str) -> RunSnapshot:
        """A run in one frozen piece; reads some dozens of rows however long the run is."""
        return live.snapshot(self._readers, view_run(self._readers, run_id, self._clock.wall()), self._clock.wall())

    def results(
        self, run_id: str, item_id: str | None = None, *, stage: str | None = None, limit: int = 1000, offset: int = 0
    ) -> list[ResultView]:
        """Stored results with their evidence, by item position, then in the order in which they came."""
        return result_reads.results(self._readers, self._id(run_id), item_id, stage, limit, offset)

    def iter_results(self, run_id: str) -> Iterator[ResultView]:
        """All of them, a page of items at a time, so that an export of any size stays small in memory."""
        return result_reads.iter_results(self._readers, self._id(run_id))

    def timeline(self, run_id: str, item_id: str) -> list[AttemptView]:
        """One item's requests in order."""
        return attempt_reads.timeline(self._readers, self._id(run_id), item_id)

    def attempts(self, run_id: str, limit: int = 200, offset: int = 0, state: str | None = None) -> list[AttemptView]:
        """Requests, newest first."""
        states = attempt_reads.STATES if state is None else (state,)
        return attempt_reads.newest(self._readers, self._id(run_id), states, limit, offset)

    def last_errors(self, run_id: str, limit: int = 20) -> list[AttemptView]:
        """The newest requests that came to nothing."""
        return attempt_reads.newest(self._readers, self._id(run_id), attempt_reads.ERRORS, limit)

    def cost_by_item(self, run_id: str, limit: int = 50) -> list[tuple[str, str, Decimal]]:
        """The most expensive finished items: id, name, USD."""
        return totals.cost_by_item(self._readers, self._id(run_id), limit)

    def measures(self, run_id: str) -> dict[str, Any]:
        """The figures of `run --json` that the ledger knows."""
        return totals.measures(self._readers, view_run(self._readers, run_id, self._clock.wall()))

    def history(self, workload: str) -> list[StageHistory]:
        """What requests of each stage and model took in the workload's last finished runs."""
        return history(self._readers, workload)

    def history_runs(self, workload: str) -> tuple[str, ...]:
        """The runs that the history of a workload rests on, newest first."""
        return history_runs(self._readers, workload)

    def history_of(self, runs: Sequence[str], until: float = inf) -> list[StageHistory]:
        """The same figures over these runs, whatever their state, of what they sent before `until` (wall seconds)."""
        return history_of(self._readers, runs, until)

    def waited(self, run_id: str, since: float = 0.0) -> tuple[float, tuple[Share, ...]]:
        """Seconds for which a run was watched since then (seconds since its start), and what it waited for."""
        return constraints.shares(self._readers, self._id(run_id), since)

    def constraints(self, run_id: str, width_s: float = 5.0) -> tuple[ConstraintSlice, ...]:
        """What a run waited for over time, in slices of that width (a multiple of five seconds)."""
        return constraints.slices(self._readers, self._id(run_id), width_s)

    def changes(self, run_id: str) -> list[Change]:
        """Every change of a limit, in order."""
        return window_reads.changes(self._readers, self._id(run_id))

    def window(self, run_id: str, resource: str, begin: float, end: float) -> Window:
        """One resource's calls between two moments of a run (multiples of five seconds since its start)."""
        return window_reads.window(self._readers, run_id, resource, begin, end)

    def item_work(self, run_id: str) -> list[float]:
        """Service seconds of single items, ascending; of a large run a sample."""
        return saved_reads.item_work(self._readers, self._id(run_id))

    def gate_means(self, run_id: str) -> dict[str, float]:
        """Mean calls in flight by resource over the whole run."""
        return saved_reads.gate_means(self._readers, self._id(run_id))

    def _id(self, run_id: str) -> str:
        return view_run(self._readers, run_id, self._clock.wall()).id
