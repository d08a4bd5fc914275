"""Sweeps: one row each beside its run, a row for each point, and views that join both."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.base.errors import UnknownError
from core.base.records import RunStatus
from core.base.views import SweepPoint
from core.store import Store
from tests.support.clock import FakeClock

HEAD: dict[str, Any] = {
    "resource": "llm",
    "endpoint": "gpu",
    "url": "http://127.0.0.1:8000/v1",
    "server": "openai",
    "model": "small",
    "limits": (1, 2, 4),
    "slo_p95_s": 2.5,
}


def point(limit: int, **more: Any) -> SweepPoint:
    return SweepPoint(limit, 2.0 * limit, 40.0 * limit, 0.5, 0.9, 0.03, limit - 0.1, 32, 1_010.0, **more)


def swept(store: Store, run_id: str, workload: str = "reviews", **head: Any) -> None:
    store.runs.create(run_id, workload, "restaurant", ["a", "b"], {}, None, "ann")
    store.sweeps.create(run_id, **{**HEAD, **head})


def test_a_sweep_is_read_with_its_run_and_its_points(store: Store) -> None:
    """Who, when, status and reason are the run's; the points come in the order of measuring, exactly as given."""
    swept(store, "s1")
    points = (
        point(1, tokens=20.0, slope=0.01, p50_s=0.4, calls=40, failed=1, cost_item_usd=Decimal("0.00125")),
        point(2, rate_limited=3),
    )
    for p in points:
        store.sweeps.add("s1", p)
    store.runs.set_status("s1", RunStatus.FINISHED, "The sweep is through.")
    store.sweeps.end("s1", "finished", "The knee is 2.")
    found = store.sweeps.view("s1")
    assert found.points == points
    assert (found.who, found.at, found.workload) == ("ann", 1_000.0, "reviews")
    assert (found.status, found.reason) == (RunStatus.FINISHED, "The sweep is through.")
    assert (found.outcome, found.why) == ("finished", "The knee is 2.")
    assert {name: getattr(found, name) for name in HEAD} == HEAD


def test_a_sweep_that_is_resumed_stays_the_one_it_was(store: Store) -> None:
    """Saying again that a run is a sweep keeps what it has measured."""
    swept(store, "s1")
    store.sweeps.add("s1", point(1))
    store.sweeps.create("s1", **{**HEAD, "model": "other"})
    found = store.sweeps.view("s1")
    assert (found.model, len(found.points)) == ("small", 1)


def test_sweeps_are_listed_newest_first_by_workload_and_resource(store: Store, clock: FakeClock) -> None:
    """A list for comparing: only what can be compared."""
    for n, (workload, resource) in enumerate([("reviews", "llm"), ("cards", "llm"), ("reviews", "search")]):
        clock.now += 10
        swept(store, f"s{n}", workload, resource=resource)
    store.runs.create("plain", "reviews", "restaurant", ["a"], {}, None, "ann")
    assert [s.id for s in store.sweeps.list()] == ["s2", "s1", "s0"]
    assert [s.id for s in store.sweeps.list(workload="reviews")] == ["s2", "s0"]
    assert [s.id for s in store.sweeps.list(workload="reviews", resource="llm")] == ["s0"]
    assert [s.id for s in store.sweeps.list(limit=1)] == ["s2"]
    assert store.sweeps.view("last").id == "s2"


def test_a_run_that_is_no_sweep_is_named_as_such(store: Store) -> None:
    """The error says which sweeps there are, and without any how to start one."""
    with pytest.raises(UnknownError, match="There are none yet"):
        store.sweeps.view("last")
    swept(store, "s1")
    with pytest.raises(UnknownError, match="The last ones are s1"):
        store.sweeps.view("nope")
