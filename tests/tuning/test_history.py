"""What is kept of earlier calls: in flight, levels, failures, skipped parts, costs with what failed tries cost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.records import Item, NodeResult, Outcome, RunStatus, Settlement, Usage
from core.base.views import StageHistory
from core.store import Store
from core.store.crowds import crowds, levels
from tests.store.kitchen import FAILED, OK, call

RUN = "run-1"


def test_in_flight_is_the_mean_over_a_calls_own_time() -> None:
    """Alone for a second and with another for a second is 1.5; who is always in company of two counts three."""
    assert crowds([(0.0, 2.0), (1.0, 2.0)]) == pytest.approx([1.5, 2.0])
    assert crowds([(0.0, 1.0)] * 3) == pytest.approx([3.0] * 3)
    assert crowds([(5.0, 5.0)]) == [1.0]
    assert crowds([]) == []


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 50)), min_size=1, max_size=30))
def test_in_flight_is_between_one_and_all(calls: list[tuple[float, float]]) -> None:
    """Whatever overlaps: at least itself, at most everybody."""
    found = crowds([(begin, begin + length) for begin, length in calls])
    assert all(1.0 <= crowd <= len(calls) + 1e-6 for crowd in found)


def test_levels_are_means_over_bins() -> None:
    """Two calls alone and two with about sixteen in flight are two levels, in ascending order."""
    found = levels([(1.0, 2.0), (1.0, 4.0), (15.0, 8.0), (17.0, 10.0)])
    assert [(level.in_flight, level.requests, level.service_s) for level in found] == [(1.0, 2, 3.0), (16.0, 2, 9.0)]


def keep(path: Path, *ends: tuple[Settlement, int], run_id: str = RUN, service_s: float = 1.0) -> None:
    """A finished run whose calls ended like that, two seconds apart; the numbers are those of the tries."""

    async def write(store: Store) -> None:
        for n, (end, number) in enumerate(ends):
            attempt = call(run_id=run_id, started_at=1000.0 + 2 * n, number=number)
            await store.ledger.settle(await store.ledger.begin(attempt), attempt, replace(end, service_s=service_s))
        done = NodeResult(run_id, "r0", "aspect_summary", "food", "Good.")
        await store.ledger.save([done, replace(done, part="price", text="", status="no_evidence")])

    with Store.open(path) as store:
        store.catalogue.put_items([Item("r0", "Restaurant 0")])
        store.runs.create(run_id, "restaurant-reviews", "restaurant", ["r0"], {}, None, "ann")
        asyncio.run(write(store))
        store.runs.set_status(run_id, RunStatus.FINISHED, "")


def read(path: Path) -> StageHistory:
    with Store.open(path) as store:
        (found,) = store.reports.history("restaurant-reviews")
        return found


def test_a_kind_of_call_is_a_stage_a_model_an_endpoint_and_a_number_of_parts(tmp_path: Path) -> None:
    """Three calls one after the other: their mean, tokens, place, and nobody else in flight."""
    keep(tmp_path / "b.db", (OK, 1), (OK, 1), (OK, 1))
    found = read(tmp_path / "b.db")
    assert (found.stage, found.model, found.endpoint, found.parts) == ("aspect_summary", "small", "practice", 1)
    assert (found.requests, found.runs, found.service_s, found.in_flight) == (3, 1, 1.0, 1.0)
    assert (found.input_tokens, found.output_tokens, found.cost_usd) == (100, 20, Decimal("0.002"))
    assert found.quantiles == (1.0,) * 41


def test_failed_tries_and_parts_without_evidence_are_shares(tmp_path: Path) -> None:
    """One failure in four tries; one of two parts had nothing to say; the success pays for what failed."""
    failed = replace(FAILED, cost_usd=Decimal("0.003"))
    keep(tmp_path / "b.db", (OK, 1), (OK, 1), (OK, 2), (failed, 1))
    found = read(tmp_path / "b.db")
    assert (found.failure_share, found.failure_s, found.skip_share) == (0.25, 1.0, 0.5)
    assert found.cost_usd == Decimal("0.003")


def test_the_newest_run_says_how_fast_and_all_say_how_it_grows(tmp_path: Path) -> None:
    """A server that was slow yesterday is forecast as fast as today, when enough calls were made."""
    keep(tmp_path / "b.db", *[(OK, 1)] * 40, run_id="old", service_s=9.0)
    keep(tmp_path / "b.db", *[(OK, 1)] * 40, run_id="new", service_s=1.0)
    found = read(tmp_path / "b.db")
    assert (found.runs, found.requests, found.service_s) == (2, 80, 1.0)
    assert sum(level.requests for level in found.levels) == 80


def test_what_nobody_priced_has_no_cost(tmp_path: Path) -> None:
    """Calls without a price leave the cost unknown, not zero."""
    unpriced = Settlement("ok", Outcome.SUCCESS, 1.0, usage=Usage(10, 10))
    keep(tmp_path / "b.db", (unpriced, 1), (unpriced, 1))
    assert read(tmp_path / "b.db").cost_usd is None


def test_history_until_a_moment_leaves_out_what_came_later(tmp_path: Path) -> None:
    """Of five calls sent two seconds apart, three were sent before the sixth second."""
    keep(tmp_path / "b.db", *[(OK, 1)] * 5)
    with Store.open(tmp_path / "b.db") as store:
        (found,) = store.reports.history_of([RUN], until=1006.0)
    assert found.requests == 3


def test_of_a_long_run_the_last_calls_tell_with_all_their_company(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three calls always in flight, read back to the middle: none of them is taken to have been alone."""
    monkeypatch.setattr("core.store.history.REQUESTS", 60)

    async def write(store: Store) -> None:
        for n in range(200):
            attempt = call(started_at=1000.0 + n / 3)
            await store.ledger.settle(await store.ledger.begin(attempt), attempt, OK)

    with Store.open(tmp_path / "b.db") as store:
        store.runs.create(RUN, "restaurant-reviews", "restaurant", ["r0"], {}, None, "ann")
        asyncio.run(write(store))
        (found,) = store.reports.history_of([RUN])
    assert 50 <= found.requests < 60
    assert found.levels[0].in_flight > 2.0
    assert found.in_flight == pytest.approx(3.0, rel=0.05)
