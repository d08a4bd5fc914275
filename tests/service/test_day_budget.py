"""The day's budget: never passed by all runs and processes together, and the run's own, changed while it runs."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from pathlib import Path

import pytest

from core.base.errors import ConfigError, DaySpentError
from core.base.records import RunStatus
from core.service import Service
from core.store import Store
from core.store.spending import day_of
from tests.service.conftest import RESTAURANTS, WORKLOAD, Open, Server
from tests.service.test_service import started, until
from tests.store.kitchen import OK, RUN, call, complete, finish_call, start_run
from tests.support.clock import FakeClock

NOON = time.mktime((2026, 3, 10, 12, 0, 0, 0, 0, -1))
DAY_S = 86_400.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path / "b.db", clock=FakeClock(NOON))
    start_run(store)
    return store


def recounted(store: Store) -> list[tuple[object, ...]]:
    """What the table of days should hold, from the attempts."""
    sql = """SELECT date(started_at, 'unixepoch', 'localtime') AS day, run_id,
        sum(CASE WHEN state = 'started' THEN reserved_nano ELSE coalesce(cost_nano, 0) END) AS nano
        FROM attempts GROUP BY 1, 2"""
    return [tuple(row) for row in store._readers.all(sql)]


def test_reservations_and_costs_count_for_the_day_on_which_a_call_began(store: Store) -> None:
    """Open at its reservation, settled at its cost, whichever day it ends on; the table equals the ledger."""
    finish_call(store, call(started_at=NOON))
    asyncio.run(store.ledger.begin(call("r1", started_at=NOON + 5)))
    asyncio.run(store.ledger.begin(call("r2", started_at=NOON + DAY_S)))
    assert store.spent_today() == Decimal("0.012")
    kept = [tuple(row) for row in store._readers.all("SELECT day, run_id, nano FROM spending ORDER BY day")]
    assert kept == recounted(store)
    store.runs.orphan(RUN)
    assert store.spent_today() == Decimal("0.012")


def test_a_call_that_would_pass_the_days_budget_is_not_put_on_record(store: Store) -> None:
    """To the cent: two reservations of 0.01 fit into 0.02, a third does not; tomorrow it does."""
    store.day.limit = Decimal("0.02")

    async def main() -> None:
        await store.ledger.begin(call("r0", started_at=NOON))
        await store.ledger.begin(call("r1", started_at=NOON))
        with pytest.raises(DaySpentError, match=r"0\.02 USD.*midnight.*--budget-day"):
            await store.ledger.begin(call("r2", started_at=NOON))
        await store.ledger.begin(call("r2", started_at=NOON, reserved_usd=None))
        await store.ledger.begin(call("r2", started_at=NOON + DAY_S))

    asyncio.run(main())
    assert len(store.reports.attempts(RUN)) == 4


def test_many_at_once_and_two_processes_do_not_pass_it_together(store: Store) -> None:
    """Fifty calls through two writers of one file: exactly as many are on record as the day allows."""
    store.day.limit = Decimal("0.10")
    with Store.open(store.path, clock=FakeClock(NOON)) as other:
        other.day.limit = Decimal("0.10")

        async def main() -> list[object]:
            calls = [(store, other)[n % 2].ledger.begin(call("r0", started_at=NOON)) for n in range(50)]
            return await asyncio.gather(*calls, return_exceptions=True)

        told = asyncio.run(main())
    assert sum(isinstance(answer, int) for answer in told) == 10
    assert store.spent_today() == Decimal("0.10")


def test_the_databases_own_limit_is_stronger_unless_it_was_given_by_hand(store: Store) -> None:
    """`budget.day` reaches the next call of every process; one that is no amount does not count."""
    store.day.limit = Decimal(0)
    store.settings.set("budget.day", "5", "ann")
    asyncio.run(complete(store, call(started_at=NOON), OK))
    store.day.by_hand = True
    with pytest.raises(DaySpentError):
        asyncio.run(store.ledger.begin(call(started_at=NOON)))
    store.day.by_hand = False
    store.settings.set("budget.day", "plenty", "ann")
    with pytest.raises(DaySpentError):
        asyncio.run(store.ledger.begin(call(started_at=NOON)))


def test_a_run_stops_at_the_days_budget_and_goes_on_once_it_is_raised(opened: Open, steady: Server) -> None:
    """Status `budget` with what to do; what was spent stays within; the resumed run does the rest."""
    service = opened(steady.endpoint, budget_day=Decimal("0.0005"))
    run = service.wait(service.start(WORKLOAD, "all", who="tester", llm_limit=4), 60)
    assert (run.status, run.pending > 0) == (RunStatus.BUDGET, True)
    assert "day's budget" in run.reason
    assert service.store.spent_today() == run.cost_usd
    assert (run.cost_usd or 0) <= Decimal("0.0005")
    richer = opened(steady.endpoint, budget_day=Decimal(1))
    richer.resume(run.id, who="tester")
    assert richer.wait(run.id, 60).done == RESTAURANTS


def test_a_runs_budget_is_changed_while_it_runs(opened: Open, steady: Server) -> None:
    """Lowered below what is spent it ends the run; raised, and kept, it lets it go on; nonsense is refused."""
    service = opened(steady.endpoint)
    run_id = started(service, budget=Decimal(1))
    with pytest.raises(ConfigError, match="'much'"):
        service.control(run_id, "budget", "much", who="tester")
    service.control(run_id, "budget", "0.00001", who="tester")
    assert service.wait(run_id, 30).status is RunStatus.BUDGET
    kept_budget(service, run_id, "0.00001")
    service.control(run_id, "budget", "2", who="tester")
    kept_budget(service, run_id, "2")
    service.resume(run_id, who="tester")
    assert service.wait(run_id, 60).done == RESTAURANTS


def kept_budget(service: Service, run_id: str, budget: str) -> None:
    until(lambda: service.run(run_id).settings["budget_usd"] == budget)


def test_a_day_is_the_machines(store: Store) -> None:
    """Local calendar days, also where they are not 24 hours from midnight UTC."""
    assert day_of(NOON) == "2026-03-10"
    assert day_of(NOON + DAY_S) == "2026-03-11"
