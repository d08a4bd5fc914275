"""What can be ordered, what a sweep needs, and what is known of it beforehand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.base.errors import ConfigError
from core.base.records import Item, Usage
from core.base.views import StageHistory
from core.base.workload_files import find_workload
from core.flow.limits import calls_needed
from core.tuning.sweep_calls import FIRST, TOP, reachable, schedule
from core.tuning.sweep_estimate import Basis, estimate
from core.tuning.sweep_order import SweepOrder, order_again, parse_limits

RESTAURANTS = find_workload("restaurant-reviews")
PLACE = Item("r1", "Place 1")


class Prices:
    """A dollar for a thousand output tokens, nothing for input."""

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        return None if model == "unpriced" else Decimal(usage.output_tokens) / 1000


def seen(stage: str, tokens: float = 50, resource: str = "llm", model: str = "small") -> StageHistory:
    usd = Decimal("0.05")
    return StageHistory(stage, resource, model, 1, 100, 2.0, 1.0, 3.0, 100, tokens, usd, usd, usd, in_flight=4.0)


HISTORY = (seen("aspect_summary"), seen("total_summary", 130))


def told(limits: tuple[int, ...] = (2, 4), items: int = 1000, model: str = "small", **more: object):  # type: ignore[no-untyped-def]
    basis = Basis(PLACE, **{"pricing": Prices(), **more})  # type: ignore[arg-type]
    return estimate(RESTAURANTS, "llm", limits, items, model, basis)


@pytest.mark.parametrize(("text", "limits"), [("1,2,4", (1, 2, 4)), (" 8 , 4 ", (8, 4)), ("auto", ()), ("AUTO", ())])
def test_limits_are_written_as_a_list_or_auto(text: str, limits: tuple[int, ...]) -> None:
    assert parse_limits(text) == limits


@pytest.mark.parametrize("text", ["", ",", "1,two", "0", "-1", "1.5", "5000", "1;2"])
def test_what_is_no_list_of_limits_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="1,2,4,8 or auto"):
        parse_limits(text)


def test_an_order_is_sorted_and_each_limit_counts_once() -> None:
    assert SweepOrder("w", limits=(8, 2, 8)).limits == (2, 8)


@pytest.mark.parametrize(
    "wrong",
    [{"resource": "disk"}, {"limits": (0,)}, {"limits": (5000,)}, {"slo_p95_s": 0.0}, {"slo_p95_s": float("nan")}],
)
def test_what_no_sweep_can_be_given_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        SweepOrder("w", **wrong)  # type: ignore[arg-type]


def test_an_order_survives_being_kept() -> None:
    """A resumed sweep is the one that was ordered; items and budget are the run's."""
    order = SweepOrder("w", resource="llm", limits=(1, 2), slo_p95_s=2.0, endpoint="gpu", model="m", preset=None)
    assert order_again("w", order.kept()) == order


def test_a_sweep_of_searches_has_no_model_calls_and_none_falls_back() -> None:
    """Only what is swept is sent, and never another model instead."""
    assert {s.kind for s in SweepOrder("w", resource="search").of(RESTAURANTS).stages} == {"search"}
    assert all(s.fallback == () for s in SweepOrder("w").of(RESTAURANTS).stages)


def test_a_schedule_without_a_grid_stays_below_its_ceiling() -> None:
    assert schedule((3, 5)) == (3, 5)
    assert schedule(())[0] == FIRST
    assert max(schedule(())) == TOP
    assert max(schedule((), 20)) == 20
    assert schedule((), 2) == (2,)


def test_calls_are_enough_for_the_lowest_limits_first() -> None:
    """Exactly enough for two is two; one call less is one."""
    two = calls_needed((2, 4))
    assert reachable((2, 4, 8), two) == (2, 4)
    assert reachable((2, 4, 8), two - 1) == (2,)
    assert reachable((2, 4, 8), 3) == ()


def test_history_tells_tokens_cost_and_time() -> None:
    """By hand: three aspects of 50 tokens and a total of 130 are 70 a call; a tenth more at most."""
    found = told(history=HISTORY)
    calls = calls_needed((2, 4))
    assert (found.basis, found.calls, found.items_needed) == ("history", calls, -(-calls // 4))
    assert found.tokens == (100 * calls, 70 * calls)
    assert found.cost_usd == (Decimal(70 * calls) / 1000, Decimal(70 * calls) / 1000 * Decimal("1.1"))
    assert found.duration_s == (
        pytest.approx(calls_needed((2,)) + calls_needed((4,)) / 2),
        pytest.approx(calls_needed((2,)) + calls_needed((4,)) / 2),
    )


def test_without_history_of_the_model_the_caps_tell_the_most() -> None:
    """Another model's history is not this one's; the most is prices times max_tokens."""
    found = told(history=[seen("aspect_summary", model="other"), seen("total_summary", model="other")])
    assert found.basis == "caps"
    assert found.duration_s is None
    assert found.cost_usd is not None
    most = max(s.max_tokens for s in RESTAURANTS.stages if s.kind == "llm")
    assert Decimal(0) < found.cost_usd[1] <= Decimal(found.calls * most) / 1000


def test_what_has_no_price_costs_an_unknown_amount() -> None:
    assert told(model="unpriced").cost_usd is None


def test_searches_cost_nothing() -> None:
    found = estimate(RESTAURANTS, "search", (1, 2), 200, "", Basis(PLACE, pricing=Prices()))
    assert (found.cost_usd, found.basis, found.tokens) == ((0, 0), "free", (0, 0))


def test_no_items_are_enough_for_nothing() -> None:
    found = estimate(RESTAURANTS, "llm", (2,), 0, "small", Basis(None))
    assert (found.reachable, found.items_needed, found.cost_usd) == ((), 0, None)
