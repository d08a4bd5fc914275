"""What pages and `--json` read: sums from the roll-ups, single rows from the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from core.base.clock import Clock
from core.base.views import (
    AttemptView,
    Bucket,
    GateSample,
    ResultView,
    RunSnapshot,
    StageHistory,
    StageStats,
)
from core.store import attempt_reads, gate_reads, live, result_reads, stage_reads, totals
from core.store.connection import Readers
from core.store.history import history
from core.store.run_views import view_run


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

    def _id(self, run_id: str) -> str:
        return view_run(self._readers, run_id, self._clock.wall()).id
