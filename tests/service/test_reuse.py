"""Runs that take over what an earlier run has done: unchanged nodes cost nothing, the rest is done anew."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from core.again import Again
from core.base.errors import RunError, UnknownError
from core.base.records import RunStatus
from core.base.views import ResultView
from core.service import Service
from tests.service.conftest import RESTAURANTS, WORKLOAD, Open

TOTAL = "RESTAURANT_REVIEWS_TOTAL_SUMMARY_TEMPERATURE"
MODELS = ("aspect_summary", "total_summary")


def done(service: Service, run_id: str) -> str:
    run = service.wait(run_id, 60)
    assert (run.status, run.pending, run.failed) == (RunStatus.FINISHED, 0, 0), run.reason
    return run_id


def first(service: Service, **options: Any) -> str:
    return done(service, service.start(WORKLOAD, "all", who="tester", llm_limit=8, **options))


def asked(service: Service, run_id: str) -> Counter[str]:
    """The requests of a run by stage."""
    return Counter(a.stage for a in service.store.reports.attempts(run_id, limit=10_000))


def texts(service: Service, run_id: str, item: str = "r3") -> dict[tuple[str, str], ResultView]:
    return {(r.stage, r.part): r for r in service.results(run_id, item)}


def test_a_run_like_another_takes_everything_over(opened: Open) -> None:
    """Nothing has changed: no search, no call, no cost; every text with its citations and evidence, and marked."""
    service = opened()
    parent = first(service)
    run_id = done(service, service.start_again(parent, Again(), who="tester"))
    assert asked(service, run_id) == {}
    before, after = texts(service, parent), texts(service, run_id)
    assert before.keys() == after.keys()
    for key, result in after.items():
        was = before[key]
        assert (result.text, result.citations, result.evidence) == (was.text, was.citations, was.evidence)
        assert result.flags == (*was.flags, "reused")
        assert not result.cost_usd
    told = service.measures(run_id)
    assert (told["done"], told["reused"], told["cost_usd"]) == (RESTAURANTS, 7 * RESTAURANTS, 0)
    assert service.run(run_id).settings["parent"] == parent


def test_another_temperature_keeps_the_searches_and_what_stands_before(opened: Open) -> None:
    """Only the total's temperature has changed: searches and aspects are taken over, the totals are done anew."""
    parent = first(opened())
    warm = opened(env={TOTAL: "0.7"})
    run_id = done(warm, warm.start_again(parent, Again(), who="tester"))
    assert asked(warm, run_id) == {"total_summary": RESTAURANTS}
    assert texts(warm, run_id)["total_summary", ""].flags.count("reused") == 0


def test_another_model_for_the_aspects_does_what_follows_anew(opened: Open) -> None:
    """New aspects make new totals where their words differ; the searches stay."""
    service = opened()
    parent = first(service)
    run_id = done(service, service.start_again(parent, Again(changes={"model": "practice-large"}), who="tester"))
    assert asked(service, run_id)["search"] == 0
    assert asked(service, run_id)["aspect_summary"] == 3 * RESTAURANTS
    assert service.run(parent).status is RunStatus.FINISHED
    assert asked(service, parent)["aspect_summary"] == 3 * RESTAURANTS, "the parent stays as it was"


def test_one_stage_alone_is_done_anew(opened: Open) -> None:
    """Only the totals, of two restaurants: everything they need is taken over as it stands."""
    service = opened()
    parent = first(service)
    again = Again(["r1", "r3"], only=("total_summary",))
    run_id = done(service, service.start_again(parent, again, who="tester"))
    assert asked(service, run_id) == {"total_summary": 2}
    assert service.run(run_id).selected == 2
    assert len(texts(service, run_id)) == 7


def test_a_stage_is_done_with_what_it_needs_and_nothing_after_it(opened: Open) -> None:
    """A first run of the aspects alone searches and has no totals; the totals are made of it later, and only they."""
    service = opened()
    parent = first(service, only_stages=["aspect_summary"])
    assert asked(service, parent) == {"search": RESTAURANTS, "aspect_summary": 3 * RESTAURANTS}
    assert {stage for stage, _ in texts(service, parent)} == {"search", "aspect_summary"}
    run_id = done(service, service.start_again(parent, Again(), who="tester"))
    assert asked(service, run_id) == {"total_summary": RESTAURANTS}


def test_one_restaurant_is_done_anew_after_its_search(opened: Open) -> None:
    """`rerun` is a small run over the one item: its texts are new, its searches are not repeated."""
    service = opened()
    parent = first(service)
    run_id = done(service, service.rerun(parent, "r3", who="tester"))
    assert asked(service, run_id) == {"aspect_summary": 3, "total_summary": 1}
    assert (service.run(run_id).selected, service.run(run_id).settings["parent"]) == (1, parent)
    run_id = done(service, service.rerun(parent, "r3", stage="total_summary", who="tester"))
    assert asked(service, run_id) == {"total_summary": 1}
    with pytest.raises(UnknownError, match="'nobody'"):
        service.rerun(parent, "nobody", who="tester")
    with pytest.raises(UnknownError, match=r"'dessert'.*total_summary"):
        service.rerun(parent, "r3", stage="dessert", who="tester")


def test_a_run_that_takes_over_is_resumed_as_such(opened: Open) -> None:
    """What is left of it goes on taking over: the parent is part of the run."""
    service = opened()
    parent = first(service)
    run_id = service.start_again(parent, Again(only=("total_summary",)), who="tester")
    service.stop(run_id, "enough")
    service.wait(run_id, 30)
    service.store.runs.requeue(run_id, ["done"])  # as if its items had never come to an end
    service.store._writer.run(lambda db: db.execute("DELETE FROM results WHERE run_id = ?", (run_id,)))
    before = asked(service, run_id)["total_summary"]
    service.resume(run_id, who="tester")
    done(service, run_id)
    assert asked(service, run_id) == {"total_summary": before + RESTAURANTS}


def test_only_what_failed_is_done_again(opened: Open) -> None:
    """A new run of the failed items; or the run itself, whose pending items wait for another time."""
    service = opened()
    parent = first(service)
    with pytest.raises(RunError, match="no failed item"):
        service.start_again(parent, Again(only_failed=True), who="tester")
    lose(service, parent, "r1", "r4")
    run_id = done(service, service.start_again(parent, Again(only_failed=True), who="tester"))
    assert asked(service, run_id) == {"total_summary": 2}
    assert {row.id for row in service.run_items(run_id).rows} == {"r1", "r4"}
    service.store._writer.run(
        lambda db: db.execute("UPDATE run_items SET status = 'pending' WHERE run_id = ? AND item_id = 'r5'", (parent,))
    )
    service.resume(parent, only_failed=True, who="tester")
    run = service.wait(parent, 30)
    assert (run.status, run.done, run.failed, run.pending) == (RunStatus.PAUSED, RESTAURANTS - 1, 0, 1)
    assert "Still pending: 1;" in run.reason


def lose(service: Service, run_id: str, *items: str) -> None:
    """Their totals have failed."""

    def job(db: Any) -> None:
        for item in items:
            db.execute(
                "UPDATE results SET status = 'failed' WHERE run_id = ? AND item_id = ? AND part = ''", (run_id, item)
            )
            db.execute("UPDATE run_items SET status = 'failed' WHERE run_id = ? AND item_id = ?", (run_id, item))

    service.store._writer.run(job)
