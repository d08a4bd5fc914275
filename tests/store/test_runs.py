"""Runs: creating, finding, the clock of a run, settings and limits."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from core.base.errors import RunError, UnknownError
from core.base.records import ItemStatus, RunStatus
from core.store import Store
from tests.store.kitchen import RUN, add_items, assert_reconciles, counters, done, start_run, text
from tests.support.clock import FakeClock


def test_a_new_run_has_everything_pending(store: Store) -> None:
    """Its view has the settings, the time, and selected = pending."""
    store.runs.create("a", "w", "restaurant", ["r2", "r1"], {"llm_limit": 8, "budget": Decimal(3)}, None, "ann")
    view = store.runs.view("a")
    assert (view.workload, view.status, view.created_at, view.started_at) == ("w", RunStatus.PENDING, 1_000.0, None)
    assert view.settings == {"llm_limit": 8, "budget": "3"}
    assert counters(store, "a") == {
        "selected": 2, "done": 0, "failed": 0, "refused": 0, "no_reviews": 0, "pending": 2,
    }  # fmt: skip
    assert (view.cost_usd, view.unpriced_calls) == (Decimal(0), 0)


def test_a_hundred_thousand_items_keep_their_order(store: Store) -> None:
    """A run of that size is one transaction, and its pages come in the order given."""
    ids = [f"r{n * 7919 % 100_000}" for n in range(100_000)]
    store.runs.create(RUN, "w", "restaurant", ids, {}, None, "ann")
    assert store.runs.view(RUN).selected == 100_000
    page = store.runs.pending_page(RUN, 49_999, 3)
    assert [(position, item.id) for position, item in page] == [(n, ids[n]) for n in range(50_000, 50_003)]


def test_an_item_chosen_twice_is_in_the_run_once(store: Store) -> None:
    """Duplicates don't break the count."""
    store.runs.create(RUN, "w", "restaurant", ["r1", "r2", "r1"], {}, None, "ann")
    assert counters(store)["selected"] == 2


def test_an_id_is_taken_once(store: Store) -> None:
    """A second run of the same id is an error and changes nothing."""
    start_run(store)
    with pytest.raises(RunError, match="choose another id, or resume"):
        start_run(store, items=1)
    assert counters(store)["selected"] == 3


def test_an_unknown_run_names_those_that_exist(store: Store) -> None:
    """The error lists the last five run ids; without any it says so."""
    with pytest.raises(UnknownError, match="no runs yet"):
        store.runs.view("x")
    for n in range(7):
        store.runs.create(f"run-{n}", "w", "restaurant", [], {}, None, "ann")
    with pytest.raises(UnknownError, match="run-6, run-5, run-4, run-3, run-2"):
        store.runs.set_status("x", RunStatus.RUNNING)


def test_last_is_the_newest(store: Store, clock: FakeClock) -> None:
    """`last` names the run created last."""
    with pytest.raises(UnknownError):
        store.runs.view("last")
    for name in ("a", "b"):
        start_run(store, run_id=name)
        clock.now += 1
    assert store.runs.view("last").id == "b"


def test_runs_are_listed_newest_first(store: Store) -> None:
    """With paging and by workload."""
    for n in range(5):
        store.runs.create(f"run-{n}", "odd" if n % 2 else "even", "restaurant", [], {}, None, "ann")
    assert [run.id for run in store.runs.list(limit=2, offset=1)] == ["run-3", "run-2"]
    assert [run.id for run in store.runs.list(workload="odd")] == ["run-3", "run-1"]


def test_the_watch_of_a_run_stops_between_sessions(store: Store, clock: FakeClock) -> None:
    """Wall time is the time worked on: ten seconds, an hour's pause between sessions, five more seconds."""
    start_run(store)
    clock.now += 10
    assert store.runs.view(RUN).wall_s == 10
    store.runs.set_status(RUN, RunStatus.INTERRUPTED, "Ctrl-C")
    clock.now += 3600
    assert store.runs.view(RUN).wall_s == 10
    store.runs.set_status(RUN, RunStatus.RUNNING)
    clock.now += 5
    store.runs.set_status(RUN, RunStatus.FINISHED)
    view = store.runs.view(RUN)
    assert (view.wall_s, view.started_at, view.ended_at) == (15, 1_000.0, 4_615.0)


def test_pausing_keeps_the_watch_going(store: Store, clock: FakeClock) -> None:
    """An operator's pause is part of the run, and going on does not start the watch anew."""
    start_run(store)
    for status in (RunStatus.PAUSED, RunStatus.RUNNING, RunStatus.FINISHED):
        clock.now += 5
        store.runs.set_status(RUN, status)
    assert store.runs.view(RUN).wall_s == 15


def test_a_run_that_goes_on_has_not_ended(store: Store) -> None:
    """Resuming clears the end and the reason."""
    start_run(store)
    store.runs.set_status(RUN, RunStatus.BUDGET, "The budget is spent.")
    assert store.runs.view(RUN).reason == "The budget is spent."
    store.runs.set_status(RUN, RunStatus.RUNNING)
    view = store.runs.view(RUN)
    assert (view.ended_at, view.reason) == (None, "")


def test_limits_and_measures_are_kept(store: Store) -> None:
    """What the engine says of itself is in the view; an unknown run is an error."""
    start_run(store)
    store.runs.set_limits(RUN, 8, 32)
    store.runs.set_measures(RUN, {"cpu_s": 1.5, "peak": {"llm": 32}})
    view = store.runs.view(RUN)
    assert (view.search_limit, view.llm_limit) == (8, 32)
    assert view.measures == {"cpu_s": 1.5, "peak": {"llm": 32}}
    with pytest.raises(UnknownError):
        store.runs.set_limits("x", 1, 1)


def test_pending_items_carry_what_the_catalogue_knows(store: Store) -> None:
    """Name, fields and reviews come along; an item that left the catalogue keeps its id as its name."""
    add_items(store, 1)
    start_run(store, items=2)
    (_, known), (_, gone) = store.runs.pending_page(RUN, -1, 10)
    assert (known.name, known.fields) == ("Restaurant 0", {"city": "Seoul"})
    assert (gone.id, gone.name) == ("r1", "r1")


def test_requeued_items_are_pending_again(store: Store) -> None:
    """Failed items can be tried again; done ones stay done, and the counters follow."""
    start_run(store)
    asyncio.run(store.ledger.save((), done("r0", ItemStatus.FAILED)))
    asyncio.run(store.ledger.save((), done("r1", ItemStatus.DONE)))
    assert store.runs.requeue(RUN, [ItemStatus.FAILED]) == 1
    assert [item.id for _, item in store.runs.pending_page(RUN, -1, 10)] == ["r0", "r2"]
    assert counters(store)["failed"] == 0
    asyncio.run(store.ledger.save((), done("r0", ItemStatus.DONE)))
    assert counters(store)["done"] == 2
    assert_reconciles(store)


@pytest.mark.parametrize("flag", ["cached", "reused"])
def test_results_that_cost_no_call_are_counted_by_an_index(store: Store, flag: str) -> None:
    """However many results a run has, its `--json` does not walk over them."""
    start_run(store)
    asyncio.run(store.ledger.save([text(flags=(flag,)), text(part="price", flags=("uncited",))]))
    assert store.reports.measures(RUN)[flag] == 1
    sql = f"SELECT count(*) FROM results WHERE run_id = ? AND instr(flags, '\"{flag}\"') > 0"
    plan = [row["detail"] for row in store._readers.all(f"EXPLAIN QUERY PLAN {sql}", RUN)]
    assert any(f"results_{flag}" in step for step in plan), plan
