"""The ledger: every call is on record before it is sent, and its end, result and cost are recorded together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from core.base.clock import Clock
from core.base.errors import DaySpentError
from core.base.records import Attempt, NodeResult, Outcome, Settlement
from core.base.views import GateSample
from core.store.begins import Begins
from core.store.constraints import ConstraintGauges, Waited
from core.store.gauges import Gauges
from core.store.progress import ItemDone
from core.store.rollups import Rollups
from core.store.settles import Ending, Settles
from core.store.spending import DayBudget
from core.store.spill import Spill
from core.store.writer import Work, Writer


@dataclass(slots=True)
class Commits:
    """What calls have waited for the disk: how many writes, for how long in all, and how many wait now."""

    count: int = 0
    seconds: float = 0.0
    waiting: int = 0


class Ledger:
    """The hot path: coroutines that return once their rows are durable.

    StoreFullError when the disk takes no more (results are kept beside the database and taken in at the next open),
    StoreError when one write is wrong. A caller that is cancelled while it waits does not undo its write.
    """

    def __init__(self, writer: Writer, rollups: Rollups, spill: Spill, clock: Clock, day: DayBudget) -> None:
        self._writer = writer
        self._clock = clock
        self._begins = Begins(self._withdraw, day)
        self._settles = Settles(rollups, spill.keep)
        self._gauges = Gauges()
        self._constraints = ConstraintGauges()
        self.commits = Commits()

    def __repr__(self) -> str:
        return f"<Ledger {self._writer!r}>"

    async def begin(self, attempt: Attempt) -> int:
        """Put a call on record before it is sent; its id. If the caller is cancelled meanwhile, so is the attempt.

        DaySpentError where the day's budget does not allow it: then it is not on record, and must not be sent.
        """
        answer = await self._timed(self._begins, attempt)
        if isinstance(answer, str):
            raise DaySpentError(answer)
        return cast(int, answer)

    async def settle(
        self,
        attempt_id: int,
        attempt: Attempt,
        settlement: Settlement,
        results: Sequence[NodeResult] = (),
        item: ItemDone | None = None,
    ) -> None:
        """Record how a call ended, with its results, cost and what its item came to, in one transaction.

        StoreError when the attempt is not open: settled before, or orphaned because the run was taken over.
        """
        await self._timed(self._settles, Ending(attempt_id, attempt, settlement, results, item, self._clock.wall()))

    async def save(self, results: Sequence[NodeResult], item: ItemDone | None = None) -> None:
        """Record results that took no call, and what an item came to."""
        await self._writer.write(self._settles, Ending(0, None, None, results, item, self._clock.wall()))

    async def sample(self, run_id: str, samples: Sequence[GateSample]) -> None:
        """Record what the gates did; does not wait."""
        self._writer.post(self._gauges, (run_id, samples))

    def constrain(self, run_id: str, t: float, waits: Sequence[Waited]) -> None:
        """Record what the run waited for until `t` seconds after its start; does not wait."""
        self._writer.post(self._constraints, (run_id, t, waits))

    async def _timed(self, work: Work, payload: Any) -> Any:
        """Write, and keep account of how long callers wait for that."""
        began = self._clock.monotonic()
        self.commits.waiting += 1
        try:
            return await self._writer.write(work, payload)
        finally:
            self.commits.waiting -= 1
            self.commits.count += 1
            self.commits.seconds += self._clock.monotonic() - began

    def _withdraw(self, attempt_id: int, attempt: Attempt) -> None:
        settlement = Settlement("cancelled", Outcome.IGNORED, 0.0)
        self._writer.post(self._settles, Ending(attempt_id, attempt, settlement, (), None, 0.0))
