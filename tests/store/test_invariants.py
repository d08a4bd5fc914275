"""Whatever happens to a run, in whatever order, its numbers reconcile."""

from __future__ import annotations

import asyncio
import tempfile
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.base.errors import StoreError
from core.base.records import Attempt, ItemStatus, Outcome, Settlement, Usage
from core.store import Store
from tests.store.kitchen import RUN, assert_reconciles, call, done, start_run, text
from tests.support.clock import FakeClock

ITEMS = st.sampled_from([f"r{n}" for n in range(5)])
ENDINGS = st.sampled_from([ItemStatus.DONE, ItemStatus.FAILED, ItemStatus.REFUSED, ItemStatus.NO_REVIEWS])
STATES = st.sampled_from(["ok", "failed", "rate_limited", "refused", "cancelled"])
COSTS = st.none() | st.decimals(0, 1, places=9)


class Life(RuleBasedStateMachine):
    """A run that is begun, settled, saved, requeued, orphaned and reopened at random."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.open()
        start_run(self.store, items=5)
        self.flying: list[tuple[int, Attempt]] = []
        self.accepted: dict[tuple[str, str], str] = {}

    def open(self) -> None:
        self.store = Store.open(Path(self.folder.name) / "brigade.db", clock=self.clock)

    @rule(item=ITEMS, resource=st.sampled_from(["search", "llm"]), number=st.integers(1, 3), reserved=COSTS)
    def begin(self, item: str, resource: str, number: int, reserved: Decimal | None) -> None:
        attempt = call(item, resource=resource, number=number, reserved_usd=reserved, started_at=self.clock.now)
        self.flying.append((asyncio.run(self.store.ledger.begin(attempt)), attempt))

    @rule(state=STATES, cost=COSTS, part=st.sampled_from(["food", "price"]), words=st.text(max_size=5))
    def settle(self, state: str, cost: Decimal | None, part: str, words: str) -> None:
        if not self.flying:
            return
        attempt_id, attempt = self.flying.pop(0)
        ending = Settlement(state, Outcome.SUCCESS, 0.5, usage=Usage(3, 2) if state == "ok" else None, cost_usd=cost)
        results = [text(attempt.item_id, part, f"said {words}")] if state == "ok" else []
        asyncio.run(self.store.ledger.settle(attempt_id, attempt, ending, results))
        if results:
            self.accepted.setdefault((attempt.item_id, part), f"said {words}")

    @rule(item=ITEMS, status=ENDINGS)
    def end_item(self, item: str, status: ItemStatus) -> None:
        asyncio.run(self.store.ledger.save((), done(item, status)))

    @rule(status=ENDINGS)
    def requeue(self, status: ItemStatus) -> None:
        self.store.runs.requeue(RUN, [status])

    @rule()
    def take_over(self) -> None:
        assert self.store.runs.orphan(RUN) == len(self.flying)
        for attempt_id, attempt in self.flying:
            try:
                asyncio.run(self.store.ledger.settle(attempt_id, attempt, Settlement("ok", Outcome.SUCCESS, 1.0)))
            except StoreError:
                continue
            raise AssertionError("an orphan was settled")
        self.flying.clear()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.open()

    @rule(seconds=st.floats(0.1, 90))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def numbers_reconcile(self) -> None:
        assert_reconciles(self.store)
        stored = {(r.item_id, r.part): r.text for r in self.store.reports.results(RUN)}
        assert stored == self.accepted

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
