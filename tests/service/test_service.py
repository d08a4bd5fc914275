"""The facade from end to end: real store, real index, real HTTP; runs that start, stop, resume and reconcile."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import core.connections
import core.pipeline.driver
from core.base.errors import (
    BrigadeError,
    ConfigError,
    IndexMismatchError,
    RunError,
    SearchError,
    StoreError,
    UnknownError,
    UsageError,
)
from core.base.records import Attempt, Item, RunStatus
from core.base.views import AttemptView, ControlView
from core.connections import Connections
from core.measures import measures
from core.pipeline.control import Commands
from core.practice import PracticeProcess
from core.service import Service
from tests.service.conftest import RESTAURANTS, WORKLOAD, Open, Server, until
from tests.support.qdrant_facade import serving

COUNTS = ("done", "failed", "refused", "no_reviews", "pending")
TIMES = ("wall_s", "cpu_s", "first_result_s", "median_result_s", "time_saved_s")
WORK = ("calls", "retries", "rate_limited", "fallbacks", "tokens", "cost_usd", "peak", "limit", "rss_mb")
CONTRACT = ("run_id", "status", "selected", *COUNTS, *TIMES, *WORK)
ALL_IDS = {f"r{n}" for n in range(RESTAURANTS)}
CALLS = 4 * RESTAURANTS


def attempts(service: Service, run_id: str, resource: str = "llm") -> list[AttemptView]:
    return [a for a in service.store.reports.attempts(run_id, limit=10_000) if a.resource == resource]


def command(service: Service, run_id: str, command_id: int) -> ControlView:
    return next(c for c in service.controls(run_id) if c.id == command_id)


def started(service: Service, **options: Any) -> str:
    """A run over everything with two model calls at a time, some of which are in the ledger."""
    run_id = service.start(WORKLOAD, "all", who="tester", **{"llm_limit": 2, **options})
    until(lambda: [a for a in attempts(service, run_id) if a.state == "ok"])
    return run_id


def begun(service: Service, run_id: str = "gone", **settings: Any) -> str:
    """The row of a run that a process wrote and did not live to work on."""
    service.store.runs.create(run_id, WORKLOAD, "restaurant", sorted(ALL_IDS), settings, None, "tester")
    return run_id


def assert_reconciles(service: Service, run_id: str, server: dict[str, Decimal]) -> None:
    """A run's counters, its ledger and the server's own log tell the same story."""
    run, ledger = service.run(run_id), attempts(service, run_id)
    assert run.selected == run.done + run.failed + run.refused + run.no_reviews + run.pending
    assert server["calls"] == len(ledger)
    assert server["ok"] == len([a for a in ledger if a.state == "ok"])
    assert server["input_tokens"] == sum(a.input_tokens or 0 for a in ledger)
    assert server["output_tokens"] == sum(a.output_tokens or 0 for a in ledger)
    assert server["cost_usd"] == sum(a.cost_usd or Decimal(0) for a in ledger) == run.cost_usd
    results = service.store.reports.results(run_id, limit=10_000)
    assert len(results) == len({(r.item_id, r.stage, r.part) for r in results})


# Samples


def test_samples_are_registered_once(fresh: Open) -> None:
    """Two at once on an empty database add the samples one time; later ones add nothing."""
    service = fresh()
    with ThreadPoolExecutor(2) as pool:
        added = sorted(pool.map(lambda _: service.ensure_samples(), range(2)))
    assert added == [0, 24 + 6 + 4 + 400]
    assert service.ensure_samples() == 0
    assert len(service.item_ids(WORKLOAD)) == 24


def test_samples_never_come_over_an_operators_own_data(opened: Open) -> None:
    """With restaurants of one's own the sample restaurants stay out; kinds that are empty get theirs."""
    service = opened()
    assert service.ensure_samples() == 6 + 4 + 400
    assert set(service.item_ids(WORKLOAD)) == ALL_IDS
    assert len(service.item_ids("celtic-cross")) == 6


# Items


def test_an_item_is_found_among_many_whose_ids_hold_its_own(opened: Open) -> None:
    """`item` answers with exactly that item, however many others a search for its id would find first."""
    service = opened()
    service.store.catalogue.put_items([Item(f"r1{n:03}", f"A{n:03}") for n in range(200)])
    found = service.item(WORKLOAD, "r1")
    assert found is not None
    assert (found.id, found.name, found.reviews) == ("r1", "Place 1", 6)
    assert service.item(WORKLOAD, "r") is None


def test_ids_told_one_by_one_mean_themselves(opened: Open) -> None:
    """In a list neither a number is a count nor a comma a separator; in a text they are."""
    service = opened()
    service.store.catalogue.put_items([Item("a,b", "Comma"), Item("@x", "At")])
    limits = {"llm_limit": 4, "search_limit": 4}
    assert service.forecast(WORKLOAD, ["a,b", "@x", "r1", "r1"], **limits).items == 3
    assert service.forecast(WORKLOAD, "3", **limits).items == 3
    with pytest.raises(UnknownError, match="'3'"):
        service.forecast(WORKLOAD, ["3"], **limits)


def test_a_forecast_knows_the_workloads_own_limit(opened: Open) -> None:
    """Asking for more calls at once than the workload allows makes a forecast no shorter; a limit of 0 is refused."""
    service = opened()
    run_id = service.start("celtic-cross", "2", who="tester")
    assert service.wait(run_id, 30).status is RunStatus.FINISHED
    told = [service.forecast("celtic-cross", "all", llm_limit=n, search_limit=4).duration_s for n in (5, 500)]
    assert told[0] is not None
    assert told[0] == told[1]
    with pytest.raises(ConfigError, match="llm limit is 0"):
        service.forecast("celtic-cross", "all", llm_limit=0, search_limit=4)


# From start to end


def test_a_run_goes_from_start_to_finished(opened: Open) -> None:
    """Over HTTP to a practice server: a snapshot at once, every item done, and evidence that exists."""
    service = opened()
    run_id = service.start(WORKLOAD, "all", who="tester", llm_limit=4, search_limit=3)
    assert service.snapshot(run_id).run.selected == RESTAURANTS
    run = service.wait(run_id, 30)
    assert (run.status, run.reason, run.done, run.pending) == (RunStatus.FINISHED, "", RESTAURANTS, 0)
    assert (run.owner, run.owner_alive, service.owns(run_id)) == ("", False, False)
    assert len(attempts(service, run_id)) == CALLS
    for row in service.results(run_id, "r3"):
        assert all(service.review("r3", e.review_id) is not None for e in row.evidence)
    assert service.snapshot(run_id).gates["llm"].peak <= 4


def test_the_measures_are_the_contracts(opened: Open) -> None:
    """The object of `run --json` has every key of the contract, is plain JSON, and agrees with the ledger."""
    service = opened()
    run_id = service.start(WORKLOAD, "all", who="tester", llm_limit=4, search_limit=3)
    service.wait(run_id, 30)
    told = service.measures("last")
    assert set(CONTRACT) <= set(told)
    assert told == json.loads(json.dumps(told))
    assert told["selected"] == sum(told[n] for n in COUNTS)
    assert told["calls"] == {"search": 3 * RESTAURANTS, "llm": CALLS}
    ledger = attempts(service, run_id)
    assert told["tokens"]["output"] == sum(a.output_tokens or 0 for a in ledger)
    assert told["cost_usd"] == pytest.approx(float(sum(a.cost_usd or 0 for a in ledger)), abs=1e-12)
    assert 0 < told["first_result_s"] <= told["median_result_s"] <= told["wall_s"]
    assert told["limit"] == {"search": 3, "llm": 4}
    assert all(1 <= told["peak"][name] <= told["limit"][name] for name in ("search", "llm"))
    service_s = sum(a.service_s or 0 for a in [*ledger, *attempts(service, run_id, "search")])
    assert told["time_saved_s"] == pytest.approx(max(0.0, service_s - told["wall_s"]), abs=0.05)


def test_the_measures_of_a_run_under_way_again_are_not_those_of_its_last_session(opened: Open) -> None:
    """While a resumed run works, its time goes on, and its peak is the highest of all sessions."""
    service = opened()
    view = replace(
        service.run(begun(service)),
        wall_s=100.0,
        ended_at=None,
        measures={"wall_s": 10.0, "peak": {"search": 2, "llm": 9}},
    )
    counted = service.store.reports.measures(view.id) | {"service_s": 150.0, "peak": {"search": 5, "llm": 1}}
    told = measures(view, counted)
    assert (told["wall_s"], told["time_saved_s"], told["peak"]) == (100.0, 50.0, {"search": 5, "llm": 9})


def test_an_export_holds_what_the_models_wrote(opened: Open) -> None:
    """Four lines for each restaurant, none for searches; evidence names imported reviews."""
    service = opened()
    service.wait(service.start(WORKLOAD, "all", who="tester", model="extractive"), 30)
    out = io.BytesIO()
    assert service.export("last", "jsonl", out) == CALLS
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert {(line["item_id"], line["stage"], line["part"]) for line in lines} == {
        (item, *node)
        for item in ALL_IDS
        for node in [("total_summary", ""), *(("aspect_summary", part) for part in ("service", "price", "food"))]
    }
    assert {review for line in lines for review in line["evidence"]} <= {f"v{n}" for n in range(6)}
    with pytest.raises(UsageError, match="jsonl, csv"):
        service.export("last", "docx", out)


def test_two_runs_at_once_share_the_index_and_the_server(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started from two threads in one process, both finish over one index and one practice server."""
    made: list[PracticeProcess] = []

    def counted(preset: str) -> PracticeProcess:
        made.append(PracticeProcess(preset))
        return made[-1]

    monkeypatch.setattr(core.connections, "PracticeProcess", counted)
    service = opened()
    go = threading.Barrier(2)

    def start(_: int) -> str:
        go.wait()
        return service.start(WORKLOAD, "all", who="tester")

    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(start, range(2)))
    assert [service.wait(run, 30).done for run in runs] == [RESTAURANTS, RESTAURANTS]
    assert len(made) == 1
    service.close()
    assert not made[0].alive


# What cannot be started


@pytest.mark.parametrize(
    ("wanted", "kind", "text"),
    [
        ({"items": "r1,nowhere"}, UnknownError, "'nowhere'"),
        ({"items": ["r1", "nowhere"]}, UnknownError, "'nowhere'"),
        ({"items": []}, RunError, "Nothing to do"),
        ({"items": "0"}, UsageError, "at least 1"),
        ({"workload": "pancakes"}, UnknownError, "restaurant-reviews"),
        ({"model": "no-such-model"}, UnknownError, "'no-such-model'.*practice-small"),
        ({"stage_models": {"total_summary": "no-such-model"}}, UnknownError, "'no-such-model'"),
        ({"stage_models": {"dessert": "practice-small"}}, UnknownError, "'dessert'.*aspect_summary, total_summary"),
        ({"llm_limit": 0}, ConfigError, "llm limit is 0"),
        ({"search_limit": 0}, ConfigError, "search limit is 0"),
        ({"window": -1}, ConfigError, "window is -1"),
        ({"budget": Decimal(-1)}, ConfigError, "budget is -1"),
        ({"budget": Decimal("NaN")}, ConfigError, "budget is NaN"),
    ],
)
def test_a_bad_start_is_refused_and_leaves_no_run(
    opened: Open, wanted: dict[str, Any], kind: type[BrigadeError], text: str
) -> None:
    """What does not exist or cannot be is an error of its own kind that names it, and no run row is left behind."""
    service = opened()
    given = {"workload": WORKLOAD, "items": "all", **wanted}
    with pytest.raises(kind, match=f"(?s){text}"):
        service.start(given.pop("workload"), given.pop("items"), who="tester", **given)
    assert service.runs() == []


def test_a_disk_that_is_as_good_as_full_is_refused(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is begun with less than 64 MB left: the error names the folder, what is left and what is needed."""
    service = opened()
    monkeypatch.setattr("core.launcher.shutil.disk_usage", lambda _: SimpleNamespace(free=5_000_000))
    with pytest.raises(RunError, match="has 5 MB left; a run needs 64 MB"):
        service.start(WORKLOAD, "all", who="tester")
    with pytest.raises(RunError, match=re.escape(str(service.store.path.parent))):
        service.dry_run(WORKLOAD, "all", stage_models={})
    assert service.runs() == []


def test_a_server_that_is_not_there_is_refused(opened: Open) -> None:
    """An address where nobody listens is a RunError with the endpoint's name; no run row is left behind."""
    service = opened("", llm_url="http://127.0.0.1:9/v1")
    with pytest.raises(RunError, match="'cli' does not answer"):
        service.start(WORKLOAD, "all", who="tester", model="")
    assert service.runs() == []


def test_a_server_without_the_model_is_refused(opened: Open, steady: Server) -> None:
    """A model that the server does not list is an UnknownError that says what it serves instead."""
    service = opened("", llm_url=steady.url, llm_model="gpt-0")
    with pytest.raises(UnknownError, match=r"gpt-0.*practice-small"):
        service.start(WORKLOAD, "all", who="tester")
    assert service.runs() == []


def test_a_wrong_collection_is_refused(opened: Open) -> None:
    """A Qdrant server without the collection is an IndexMismatchError that names it; no run row is left behind."""
    with serving() as facade:
        service = opened(qdrant_url=facade.url, collection="menus")
        with pytest.raises(IndexMismatchError, match="menus"):
            service.start(WORKLOAD, "all", who="tester")
    assert service.runs() == []


def test_a_qdrant_that_is_not_there_is_refused(opened: Open) -> None:
    """An address where no Qdrant listens is a SearchError that names it."""
    service = opened(qdrant_url="http://127.0.0.1:9")
    with pytest.raises(SearchError, match=r"127\.0\.0\.1:9"):
        service.start(WORKLOAD, "all", who="tester")
    assert service.runs() == []


# Commands


def test_a_finished_run_takes_no_commands(opened: Open) -> None:
    """A command to it is a RunError that says its status, and none is recorded."""
    service = opened()
    run_id = service.start(WORKLOAD, "all", who="tester", model="extractive")
    service.wait(run_id, 30)
    with pytest.raises(RunError, match="finished"):
        service.control(run_id, "pause", who="tester")
    assert service.controls(run_id) == []


@pytest.mark.parametrize(
    ("action", "new", "kind"),
    [("flambe", "", UnknownError), ("llm_limit", "0", ConfigError), ("model", "x", ConfigError)],
)
def test_a_command_that_cannot_be_obeyed_is_refused(
    opened: Open, action: str, new: str, kind: type[BrigadeError]
) -> None:
    """An unknown action, a limit of 0 and a model without a stage are errors before anything is recorded."""
    service = opened()
    run_id = begun(service)
    with pytest.raises(kind):
        service.control(run_id, action, new, who="tester")
    assert service.controls(run_id) == []


def test_a_cancelled_run_stays_cancelled(opened: Open) -> None:
    """A run without an owner is cancelled at once; resuming it is refused both ways."""
    service = opened()
    run_id = begun(service)
    service.control(run_id, "cancel", who="tester")
    assert service.run(run_id).status is RunStatus.CANCELLED
    with pytest.raises(RunError, match="cancelled"):
        service.resume(run_id, who="tester")
    with pytest.raises(RunError, match="cancelled"):
        service.control(run_id, "resume", who="tester")


def test_a_run_of_another_process_is_steered_through_rows_only(opened: Open) -> None:
    """While another owner's lease lives, a command is a row for it to obey; resuming is refused and names it."""
    service = opened()
    run_id = begun(service)
    service.store.runs.acquire_lease(run_id, "elsewhere:1:abc")
    sent = service.control(run_id, "pause", who="tester", reason="lunch")
    row = command(service, run_id, sent)
    assert (row.action, row.who, row.reason, row.applied_at) == ("pause", "tester", "lunch", None)
    with pytest.raises(RunError, match="elsewhere:1:abc"):
        service.resume(run_id, who="tester")
    assert service.run(run_id).status is RunStatus.PENDING
    assert not service.owns(run_id)


def test_a_command_sent_right_after_the_start_is_obeyed(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the engine is to look, no command of after the start is taken for one of before."""
    slow = Commands.skip_old

    def late(self: Commands) -> int:
        threading.Event().wait(0.05)
        return slow(self)

    monkeypatch.setattr(Commands, "skip_old", late)
    service = opened()
    run_id = service.start(WORKLOAD, "all", who="tester", llm_limit=1)
    sent = service.control(run_id, "pause", who="tester")
    until(lambda: command(service, run_id, sent).applied_at)
    assert command(service, run_id, sent).outcome == "applied"
    service.control(run_id, "cancel", who="tester")
    assert service.wait(run_id, 30).status is RunStatus.CANCELLED


def test_a_command_that_comes_too_late_is_told_so(
    opened: Open, steady: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the run ends before it looks again, what it was sent is refused with the reason rather than left open."""
    service = opened(steady.endpoint)
    monkeypatch.setattr(core.pipeline.driver, "POLL_S", 60.0)
    run_id = started(service, llm_limit=16)
    sent = service.control(run_id, "llm_limit", "3", who="tester")
    assert service.wait(run_id, 30).status is RunStatus.FINISHED
    assert command(service, run_id, sent).outcome == "refused: the run ended before it could be obeyed"


def test_last_is_the_newest_run_everywhere(opened: Open, steady: Server) -> None:
    """Waiting for, stopping, owning and reading `last` are the same as by its id."""
    service = opened(steady.endpoint)
    run_id = started(service, llm_limit=1)
    sent = service.control("last", "pause", who="tester")
    until(lambda: command(service, run_id, sent).applied_at)
    assert service.owns("last")
    service.stop("last", "enough")
    assert service.wait("last", 30).status is not RunStatus.PAUSED
    assert service.controls("last") == service.controls(run_id) != []
    assert service.run_items("last").total == RESTAURANTS


# Stopping and going on


def test_closing_in_mid_run_drains_and_resuming_finishes(opened: Open, steady: Server) -> None:
    """The run is `interrupted` with nothing left open; resumed by the next service it finishes, no node is done twice,
    and the server's own log equals the ledger in calls, tokens and cost to the last digit."""
    before = steady.log()
    first = opened(steady.endpoint)
    run_id = started(first)
    first.close()
    second = opened(steady.endpoint)
    run = second.run(run_id)
    assert (run.status, run.owner_alive) == (RunStatus.INTERRUPTED, False)
    assert "closed" in run.reason
    assert run.pending > 0
    assert {a.state for a in attempts(second, run_id)} == {"ok"}
    assert_reconciles(second, run_id, steady.since(before))
    second.resume(run_id, who="tester", changes={"llm_limit": 8})
    run = second.wait(run_id, 30)
    assert (run.status, run.done, run.pending) == (RunStatus.FINISHED, RESTAURANTS, 0)
    assert len(attempts(second, run_id)) == CALLS
    assert_reconciles(second, run_id, steady.since(before))


def test_closing_while_a_run_is_on_its_way_does_not_let_it_run(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that is still in its preflight as the service closes ends as interrupted before its first call."""
    preflight, go_on = threading.Event(), threading.Event()
    prepare = Connections.prepare

    async def slow(self: Connections, model: str) -> str:
        preflight.set()
        await asyncio.to_thread(go_on.wait, 10)
        return await prepare(self, model)

    monkeypatch.setattr(Connections, "prepare", slow)
    service = opened()
    with ThreadPoolExecutor(2) as pool:
        start = pool.submit(service.start, WORKLOAD, "all", who="tester")
        assert preflight.wait(10)
        closing = pool.submit(service.close)
        until(lambda: service._launcher._closing)
        go_on.set()
        closing.result(20)
        assert start.exception(1) is None
    run = opened().run(start.result())
    assert (run.status, run.pending) == (RunStatus.INTERRUPTED, RESTAURANTS)


def test_a_closed_service_says_so(opened: Open) -> None:
    """Closing twice is fine; afterwards reading and starting are errors of ours, not hangs."""
    service = opened()
    service.close()
    service.close()
    with pytest.raises(StoreError, match="closed"):
        service.runs()
    with pytest.raises(BrigadeError, match="closed"):
        service.start(WORKLOAD, "all", who="tester")


def test_the_budget_stops_a_run(opened: Open, steady: Server) -> None:
    """The status is `budget`, no more than the budget is spent, and the rest is pending for whoever raises it."""
    before = steady.log()
    service = opened(steady.endpoint)
    budget = Decimal("0.0008")
    run = service.wait(service.start(WORKLOAD, "all", who="tester", budget=budget, llm_limit=4), 30)
    assert run.status is RunStatus.BUDGET
    assert "0.0008" in run.reason
    assert run.cost_usd is not None
    assert 0 < run.cost_usd <= budget
    assert run.pending > 0
    assert_reconciles(service, run.id, steady.since(before))
    service.resume(run.id, who="tester", changes={"budget": Decimal(1)})
    assert service.wait(run.id, 30).status is RunStatus.FINISHED


def test_calls_that_never_came_back_count_towards_the_budget(opened: Open, steady: Server) -> None:
    """Resuming a crashed run, what its open calls may have cost is spent: the budget admits nothing beyond it."""
    service = opened(steady.endpoint)
    run_id = begun(service, budget_usd="0.01", model="practice-small")
    lost = Attempt(
        run_id, "r0", "aspect_summary", ("food",), "x", 1, "llm", "e", "m", reserved_usd=Decimal("0.01"), started_at=1.0
    )
    asyncio.run(service.store.ledger.begin(lost))
    before = steady.log()
    service.resume(run_id, who="tester")
    run = service.wait(run_id, 30)
    assert (run.status, run.cost_usd) == (RunStatus.BUDGET, Decimal("0.01"))
    assert steady.since(before)["calls"] == 0


def test_a_run_whose_process_died_before_it_began_is_resumed(opened: Open) -> None:
    """Its row has no limits yet: it goes on with those of the settings."""
    service = opened(llm_limit=3)
    run_id = begun(service, model="extractive")
    service.resume(run_id, who="tester")
    run = service.wait(run_id, 30)
    assert (run.status, run.done, run.llm_limit) == (RunStatus.FINISHED, RESTAURANTS, 3)


def test_resuming_twice_at_once_is_one_run(opened: Open, steady: Server) -> None:
    """Of two threads that resume the same run one is told that it is at work; every call is made once."""
    service = opened(steady.endpoint)
    run_id = begun(service, model="practice-small")
    before = steady.log()
    go = threading.Barrier(4)

    def resume(_: int) -> str:
        go.wait()
        try:
            service.resume(run_id, who="tester", changes={"llm_limit": 16})
        except RunError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(4) as pool:
        told = sorted(pool.map(resume, range(4)))
    assert told[0] == ""
    assert all("worked on" in text for text in told[1:])
    assert service.wait(run_id, 30).status is RunStatus.FINISHED
    assert len(attempts(service, run_id)) == CALLS
    assert_reconciles(service, run_id, steady.since(before))


def test_a_resume_that_is_refused_changes_nothing(opened: Open) -> None:
    """Where the preflight fails, failed items stay failed, the run keeps its status, and the command says why."""
    service = opened("", llm_url="http://127.0.0.1:9/v1")
    run_id = begun(service)
    with sqlite3.connect(service.store.path) as db:
        db.execute("UPDATE run_items SET status = 'failed' WHERE run_id = ?", (run_id,))
        db.execute("UPDATE runs SET failed = pending, pending = 0, status = 'interrupted' WHERE id = ?", (run_id,))
    db.close()
    with pytest.raises(RunError, match="does not answer"):
        service.control(run_id, "resume", who="tester")
    run = service.run(run_id)
    assert (run.status, run.failed, run.pending) == (RunStatus.INTERRUPTED, RESTAURANTS, 0)
    assert service.controls(run_id)[0].outcome.startswith("refused: Endpoint 'cli' does not answer")


@pytest.mark.parametrize("changes", [{"llm_limit": 0}, {"window": -3}, {"stage_models": {"dessert": "m"}}])
def test_a_resume_with_changes_that_cannot_be_is_refused(opened: Open, changes: dict[str, Any]) -> None:
    """What a start refuses a resume refuses too, and the run stays as it was."""
    service = opened()
    run_id = begun(service)
    with pytest.raises(UsageError):
        service.resume(run_id, who="tester", changes=changes)
    assert service.run(run_id).status is RunStatus.PENDING


# Two services on one database


def test_a_second_service_attaches_read_only(opened: Open, steady: Server) -> None:
    """It reads the first one's run live, may not resume it, and steers it through rows that the first obeys."""
    first, second = opened(steady.endpoint), opened(steady.endpoint)
    run_id = started(first, llm_limit=1)
    assert second.snapshot(run_id).run.owner_alive
    assert not second.owns(run_id)
    with pytest.raises(RunError, match="worked on"):
        second.resume(run_id, who="visitor")
    sent = second.control(run_id, "llm_limit", "3", who="visitor")
    until(lambda: command(second, run_id, sent).applied_at)
    assert (command(second, run_id, sent).old, second.run(run_id).llm_limit) == ("1", 3)
    second.control(run_id, "pause", who="visitor")
    until(lambda: second.run(run_id).status is RunStatus.PAUSED)
    second.close()
    assert first.owns(run_id)
    first.control(run_id, "cancel", who="tester")
    assert first.wait(run_id, 30).status is RunStatus.CANCELLED


def test_a_run_that_was_taken_over_is_the_new_owners(
    opened: Open, steady: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that lost its lease lets go of the run and says nothing about its end."""
    monkeypatch.setattr(core.pipeline.driver, "SAMPLE_S", 0.02)
    monkeypatch.setattr(core.pipeline.driver, "RENEW_S", 0.0)
    service = opened(steady.endpoint)
    run_id = started(service, llm_limit=1)
    with sqlite3.connect(service.store.path, timeout=10) as db:
        db.execute(
            "UPDATE leases SET owner = 'elsewhere:1:abc', token = token + 1, expires_at = expires_at + 60 "
            "WHERE run_id = ?",
            (run_id,),
        )
    db.close()
    until(lambda: not service.owns(run_id))
    run = service.run(run_id)
    assert (run.status, run.reason, run.owner, run.ended_at) == (RunStatus.RUNNING, "", "elsewhere:1:abc", None)


def test_a_run_that_nobody_can_steer_any_more_ends(opened: Open, steady: Server, caplog: Any) -> None:
    """When what reads the commands breaks, the run drains and says so, rather than going on deaf."""
    service = opened(steady.endpoint)
    run_id = started(service, llm_limit=1)

    def broken(*_: object) -> None:
        raise RuntimeError("the bell is broken")

    service.store.controls.pending = broken  # type: ignore[method-assign,assignment]
    run = service.wait(run_id, 30)
    assert run.status is RunStatus.CRASHED
    assert "the bell is broken" in run.reason
    assert run.pending > 0
    assert "started" not in {a.state for a in attempts(service, run_id)}


def test_the_database_names_no_address_with_a_password(opened: Open, steady: Server, tmp_path: Path) -> None:
    """What a run keeps for resuming holds no user info of an address."""
    secret = steady.url.replace("http://", "http://chef:s3cret-canary@")
    service = opened("", llm_url=secret, llm_model="practice-small")
    service.wait(service.start(WORKLOAD, "2", who="tester"), 30)
    service.close()
    found = [p.name for p in tmp_path.rglob("b.db*") if b"s3cret-canary" in p.read_bytes()]
    assert found == []
