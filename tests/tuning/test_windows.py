"""Changes of limits in the store and what a run did around them: told once, from slices, with items and money."""

from __future__ import annotations

import asyncio
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from core.base.records import Item, ItemStatus, Outcome, RunStatus, Settlement, Usage
from core.store import ItemDone, Store
from core.store.constraints import Waited
from core.tuning.effects import effects
from core.tuning.saved import time_saved
from tests.store.kitchen import call

RUN = "run-1"
CHANGED_S = 60.0


class Past:
    """A clock that says what it is told."""

    def __init__(self) -> None:
        self.now = 10_000.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A run of two minutes: a call a second, after a minute two, each done a second later at a thousandth of a dollar.
    Every fourth call ends an item."""
    clock, file = Past(), tmp_path / "b.db"
    with Store.open(file, clock=clock) as store:
        ids = [f"r{n}" for n in range(60)]
        store.catalogue.put_items([Item(i, i) for i in ids])
        store.runs.create(RUN, "restaurant-reviews", "restaurant", ids, {}, None, "ann")
        store.runs.set_status(RUN, RunStatus.RUNNING)
        begun = clock.now
        asyncio.run(_fill(store, clock, begun))
        clock.now = begun + CHANGED_S
        command = store.controls.send(RUN, "llm_limit", "8", who="kim", reason="more", old="4")
        store.controls.applied(command, "applied")
        clock.now = begun + 120
        store.runs.set_status(RUN, RunStatus.FINISHED, "")
    return file


async def _fill(store: Store, clock: Past, begun: float) -> None:
    ok = Settlement("ok", Outcome.SUCCESS, 1.0, usage=Usage(100, 20), cost_usd=Decimal("0.001"))
    times = [float(n) for n in range(60)] + [60 + n / 2 for n in range(118)]
    for n, at in enumerate(times):
        clock.now = begun + at + 1.0
        attempt = call(f"r{n // 4}", started_at=begun + at)
        done = ItemDone(RUN, f"r{n // 4}", ItemStatus.DONE, at + 1) if n % 4 == 3 else None
        await store.ledger.settle(await store.ledger.begin(attempt), attempt, ok, (), done)


def test_a_command_is_a_change_with_its_effect(path: Path) -> None:
    """Doubled after a minute: twice the calls and items a second, at the same cost per item and latency."""
    with Store.open(path) as store:
        reports = store.reports
        (change,) = reports.changes(RUN)
        (found,) = effects([change], lambda *span: reports.window(RUN, *span), 120.0, 2.0)
    assert (change.t, change.old, change.new, change.who, change.reason) == (60.0, 4, 8, "kim", "more")
    assert found.before is not None
    assert found.after is not None
    assert found.before.calls_per_s == pytest.approx(1.0, rel=0.05)
    assert found.gain == pytest.approx(1.0, rel=0.05)
    assert found.after.items_per_s == pytest.approx(0.5, rel=0.1)
    assert found.after.tokens_per_s == pytest.approx(40, rel=0.05)
    assert found.before.p95_s == pytest.approx(1.0, rel=0.02)
    assert float(found.before.cost_per_item or 0) == pytest.approx(0.004, rel=0.1)


def test_what_was_recorded_when_it_was_obeyed_is_not_told_twice(path: Path) -> None:
    """A command whose change is among the limit's own changes is one change; another's stays another."""
    with sqlite3.connect(path) as db:
        columns = "run_id, t, at, resource, endpoint, old, new, reason, phase, who"
        for row in (
            (RUN, 60.3, 0.0, "llm", "", 4, 8, "more", "", "kim"),
            (RUN, 90.0, 0.0, "llm", "gpu", 8, 9, "probe", "hold", "auto"),
            (RUN, 91.0, 0.0, "llm", "", 9, 9, "mode", "", "kim"),
        ):
            db.execute(f"INSERT INTO limit_changes ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    with Store.open(path) as store:
        found = store.reports.changes(RUN)
    assert [(c.t, c.endpoint, c.new, c.phase) for c in found] == [(60.3, "", 8, ""), (90.0, "gpu", 9, "hold")]


def test_constraints_are_shares_of_what_was_watched(path: Path) -> None:
    """Nine of ten watched seconds at the model gate are 90 %, in all and in each slice, from any moment on."""
    with Store.open(path) as store:
        for n in range(10):
            store.ledger.constrain(RUN, float(n), [Waited("", "", 1.0), *([Waited("llm", "", 1.0)] if n else [])])
    with Store.open(path) as store:
        watched, shares = store.reports.waited(RUN)
        late = store.reports.waited(RUN, 5.0)
        slices = store.reports.constraints(RUN)
    assert watched == pytest.approx(10.0)
    assert [(s.resource, s.share) for s in shares] == [("llm", pytest.approx(0.9))]
    assert late[0] == pytest.approx(5.0)
    assert late[1][0].share == pytest.approx(1.0)
    assert [(s.t, s.share) for s in slices] == [(0.0, pytest.approx(0.8)), (5.0, pytest.approx(1.0))]


def test_a_run_that_was_never_watched_has_no_shares(path: Path) -> None:
    """From before there was a watch: no seconds, no claim."""
    with Store.open(path) as store:
        assert store.reports.waited(RUN) == (0.0, ())


def test_the_work_of_items_is_read_from_their_calls(path: Path) -> None:
    """Each of the items that ended had four calls of a second."""
    with Store.open(path) as store:
        assert store.reports.item_work(RUN) == [4.0] * 44


def test_time_saved_has_a_spread_over_items() -> None:
    """A hundred items of 3 to 5 s in 50 s: 400 s of work, 350 s saved, within 1.28 x 10 x the spread of one item."""
    told = time_saved(50.0, 400.0, [3.0] * 50 + [5.0] * 50, 100, {"llm": 8.0}, {"llm": 9})
    assert told.serial_s == pytest.approx((387.2, 400.0, 412.8))
    assert told.saved_s == pytest.approx((337.2, 350.0, 362.8))
    assert told.speedup == 8.0
    assert told.item_s == (3.0, 5.0, 5.0)
    assert (told.in_flight_mean, told.in_flight_peak) == ({"llm": 8.0}, {"llm": 9})


def test_a_run_that_has_done_nothing_yet_saved_nothing() -> None:
    """No work, no division by zero."""
    told = time_saved(0.0, 0.0, [], 0, {}, {})
    assert (told.saved_s, told.speedup) == ((0.0, 0.0, 0.0), 0.0)
