"""By when and for how much: what is feasible is ranked, and what is not says what it would take."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from core.tuning.choices import Wish, plan_for
from tests.tuning.seen import HISTORY, LINE, places, seen

LARGE = (
    seen("aspect_summary", 0.5, cost="0.01", model="large"),
    seen("total_summary", 0.5, cost="0.02", model="large"),
)
KNOWN = (HISTORY[0], *(replace(h, levels=LINE) for h in HISTORY[1:]))


def test_the_lowest_limit_that_surely_keeps_the_deadline_comes_first() -> None:
    """100 restaurants are 500 s of calls, slower with more in flight: within 120 s eight permits are enough."""
    plan = plan_for(places(100, search_limit=8), KNOWN, Wish(120.0))
    assert plan.best is plan.options[0]
    assert plan.best is not None
    assert (plan.best.llm_limit, plan.best.meets_deadline, plan.best.sure_deadline) == (8, True, True)
    assert all(option.forecast.duration_s[1] <= 120 for option in plan.options if option.forecast.duration_s)
    assert plan.needs == ()


def test_a_budget_chooses_the_cheaper_model() -> None:
    """The large model is faster and ten times as dear: with a budget of one dollar only the small one is left."""
    free = plan_for(places(100), (*KNOWN, *LARGE), Wish())
    tight = plan_for(places(100), (*KNOWN, *LARGE), Wish(budget_usd=Decimal(1)))
    assert {m for o in free.options for m in o.models.values()} == {"small", "large"}
    assert {m for o in tight.options for m in o.models.values()} == {"small"}
    assert all(o.meets_budget and o.meets_deadline is None for o in tight.options)


def test_what_cannot_be_done_says_what_would_have_to_change() -> None:
    """500 s of calls in ten seconds for a cent: the best is named, and the time, money or items it would take."""
    plan = plan_for(places(100), KNOWN, Wish(10.0, Decimal("0.01")))
    assert plan.options == ()
    assert plan.best is not None
    needs = {need.key: need.values for need in plan.needs}
    assert set(needs) == {"more_time", "more_endpoints", "more_budget", "fewer_items"}
    assert needs["more_time"]["duration_s"] > 10
    assert Decimal("0.5") <= needs["more_budget"]["cost_usd"] < Decimal("0.6")
    assert 0 <= needs["fewer_items"]["items"] <= 2


def test_doing_with_fewer_items_what_it_says_is_feasible() -> None:
    """The number of items that is offered keeps the deadline that all of them miss."""
    wish = Wish(60.0)
    plan = plan_for(places(400), KNOWN, wish, llm_limits=(4, 8))
    fewer = next(need.values["items"] for need in plan.needs if need.key == "fewer_items")
    assert plan_for(places(int(0.95 * fewer)), KNOWN, wish, llm_limits=(4, 8)).options


def test_limits_and_models_that_are_given_are_the_candidates() -> None:
    """Only what was asked for is tried, within the workload's own most."""
    models = [dict.fromkeys(("aspect_summary", "total_summary"), "large")]
    plan = plan_for(places(10), (*KNOWN, *LARGE), Wish(), llm_limits=(2, 4, 64), models=models, most=5)
    assert {o.llm_limit for o in plan.options} == {2, 4, 5}
    assert {m for o in plan.options for m in o.models.values()} == {"large"}


def test_without_history_nothing_is_promised() -> None:
    """A workload that never ran has no plan: the answer says which stages are missing."""
    plan = plan_for(places(10), (), Wish(60.0))
    assert (plan.options, plan.best) == ((), None)
    assert [need.key for need in plan.needs] == ["no_history"]


def test_an_unknown_price_is_no_kept_budget() -> None:
    """Where nobody knows the price a budget is not met, however high, and it is said why."""
    unpriced = tuple(replace(h, cost_usd=None, cost_p10_usd=None, cost_p90_usd=None) for h in KNOWN)
    plan = plan_for(places(10), unpriced, Wish(budget_usd=Decimal(1000)))
    assert plan.options == ()
    assert "unpriced" in {need.key for need in plan.needs}
