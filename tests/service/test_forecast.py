"""The forecast: calls from the plan, time and money by hand-made arithmetic, nothing invented."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.records import Item
from core.base.views import StageHistory
from core.base.workload_files import find_workload
from core.tuning.forecast import forecast
from tests.support.fakes import reviews_workload

RESTAURANTS = find_workload("restaurant-reviews")
CARDS = find_workload("celtic-cross")
PLACE = Item("r1", "Place 1")
READING = Item("c1", "A reading", "reading", {"cards": [{"id": f"c{n}", "position": f"{n}"} for n in range(10)]})
LIMITS = {"llm_limit": 4, "search_limit": 2}


def seen(
    stage: str, service: float, spread: float = 0.0, cost: str | None = None, model: str = "small"
) -> StageHistory:
    """What requests of a stage took: mean, spread to either side, cost."""
    usd = None if cost is None else Decimal(cost)
    resource = "search" if stage == "search" else "llm"
    return StageHistory(
        stage, resource, model, 1, 100, service, service - spread, service + spread, 100, 50, usd, usd, usd
    )


HISTORY = (
    seen("search", 0.1, 0.05, model=""),
    seen("aspect_summary", 1.0, 0.3, "0.001"),
    seen("total_summary", 2.0, 0.5, "0.002"),
)


def test_without_history_the_calls_are_known_and_nothing_else() -> None:
    """A restaurant is three searches and four model calls; duration and cost are None, the basis `none`."""
    told = forecast(RESTAURANTS, 10, PLACE, (), **LIMITS)
    assert (told.items, told.search_calls, told.llm_calls) == (10, 30, 40)
    assert (told.duration_s, told.cost_usd, told.basis) == (None, None, "none")


def test_a_reading_of_ten_cards_is_seven_calls() -> None:
    """Ten cards in batches of three are four calls, and one each for the whole, the relationships and the advice."""
    told = forecast(CARDS, 6, READING, (), **LIMITS)
    assert (told.search_calls, told.llm_calls) == (0, 6 * (4 + 1 + 1 + 1))


def test_no_items_are_no_calls() -> None:
    """Nothing selected is nothing to do, without a basis."""
    told = forecast(RESTAURANTS, 0, None, HISTORY, **LIMITS)
    assert (told.search_calls, told.llm_calls, told.basis) == (0, 0, "none")


def test_one_item_takes_a_chain_of_calls() -> None:
    """With a single item the middle is one search, one aspect and one total after one another."""
    told = forecast(RESTAURANTS, 1, PLACE, HISTORY, **LIMITS)
    assert told.duration_s is not None
    assert told.duration_s[1] == pytest.approx(0.1 + 1.0 + 2.0)
    assert told.basis == "history"


def test_the_duration_is_the_larger_work_over_its_limit() -> None:
    """By hand: 100 more items x (3 x 1 s + 2 s) over 4 permits, one chain, 1.28 sigma and a tenth to either side."""
    told = forecast(RESTAURANTS, 101, PLACE, HISTORY, **LIMITS)
    assert told.duration_s is not None
    sigma = sqrt(100 * (3 * (0.6 / 2.56) ** 2 + (1.0 / 2.56) ** 2))
    chain = 0.1 + 1.0 + 2.0
    assert told.duration_s[0] == pytest.approx((chain + (500 - 1.28 * sigma) / 4) * 0.9)
    assert told.duration_s[1] == pytest.approx(chain + 500 / 4)
    assert told.duration_s[2] == pytest.approx((chain + (500 + 1.28 * sigma) / 4) * 1.1)


def test_a_slow_search_is_what_a_run_waits_for() -> None:
    """Where searching is more work per permit than the models are, the duration follows the search limit."""
    slow = (seen("search", 9.0, model=""), *HISTORY[1:])
    told = forecast(RESTAURANTS, 101, PLACE, slow, llm_limit=100, search_limit=1)
    assert told.duration_s is not None
    assert told.duration_s[1] == pytest.approx(9.0 + 1.0 + 2.0 + 100 * 9.0)


def test_the_cost_is_calls_times_the_mean() -> None:
    """By hand: 10 restaurants x (3 x 0.001 + 0.002) USD, a tenth to either side, in Decimal."""
    told = forecast(RESTAURANTS, 10, PLACE, HISTORY, **LIMITS)
    assert told.cost_usd == (Decimal("0.045"), Decimal("0.050"), Decimal("0.055"))


def test_one_unpriced_stage_makes_the_cost_unknown() -> None:
    """A stage without a price is not free: the duration is told, the cost is None."""
    unpriced = (*HISTORY[:2], seen("total_summary", 2.0))
    told = forecast(RESTAURANTS, 10, PLACE, unpriced, **LIMITS)
    assert told.cost_usd is None
    assert told.duration_s is not None


def test_only_the_asked_models_history_counts() -> None:
    """History of another model is no basis; the search's counts for every model; the newest counts first."""
    other = tuple(replace(h, model="large") for h in HISTORY[1:])
    assert forecast(RESTAURANTS, 10, PLACE, HISTORY, **LIMITS, model="large").basis == "none"
    told = forecast(RESTAURANTS, 10, PLACE, (HISTORY[0], *other), **LIMITS, model="large")
    assert told.basis == "history"
    newest = forecast(RESTAURANTS, 1, PLACE, (seen("total_summary", 50.0), *HISTORY), **LIMITS)
    assert newest.duration_s is not None
    assert newest.duration_s[1] == pytest.approx(0.1 + 1.0 + 50.0)


def test_a_stage_with_a_model_of_its_own_is_told_by_that() -> None:
    """Where the workload gives the total to another model, its history is the basis, whatever the run's model is."""
    workload = reviews_workload(model="large")
    mixed = (HISTORY[0], HISTORY[1], seen("total_summary", 7.0, cost="0.01", model="large"), HISTORY[2])
    told = forecast(workload, 1, PLACE, mixed, **LIMITS, model="small")
    assert told.duration_s is not None
    assert told.duration_s[1] == pytest.approx(0.1 + 1.0 + 7.0)


@given(
    items=st.integers(1, 100_000),
    service=st.floats(0.001, 100),
    spread=st.floats(0, 50),
    llm=st.integers(1, 512),
    search=st.integers(1, 64),
)
def test_low_is_never_above_expected_nor_that_above_high(
    items: int, service: float, spread: float, llm: int, search: int
) -> None:
    """Whatever the history, 0 < low <= expected <= high, for time and for money."""
    history = [seen(stage, service, spread, "0.003") for stage in ("search", "aspect_summary", "total_summary")]
    told = forecast(RESTAURANTS, items, PLACE, history, llm_limit=llm, search_limit=search)
    assert told.duration_s is not None
    assert told.cost_usd is not None
    assert 0 < told.duration_s[0] <= told.duration_s[1] <= told.duration_s[2]
    assert 0 < told.cost_usd[0] <= told.cost_usd[1] <= told.cost_usd[2]
