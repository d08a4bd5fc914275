"""What a stage's cost was paid for follows from its sums and its prices, and is not told where they don't agree."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.endpoints import EndpointConfig
from core.base.records import Usage
from core.base.views import StageStats
from core.cost_split import split_cost
from core.models.prices import Prices

USD = Decimal
PRICED = EndpointConfig("gpu", price_input=USD(2), price_output=USD(8), price_cached=USD("0.5"), models=("m",))


def stats(cost: Decimal | None, read: int = 1000, written: int = 100, unpriced: int = 0) -> StageStats:
    return StageStats(
        "summary", "llm", "m", 1, 1, 1, 0, 0, 0, None, None, None, None, None, None, None, 1.0, read, written, cost,
        unpriced,
    )  # fmt: skip


@given(read=st.integers(1, 10**9), share=st.floats(0, 1), written=st.integers(1, 10**8))
def test_the_parts_are_those_that_were_charged(read: int, share: float, written: int) -> None:
    """Whatever was cached: the parts add up, and are within the rounding of what each was charged."""
    cached = int(read * share)
    cost = Prices().cost(PRICED, "m", Usage(read, written, cached))
    assert cost is not None
    found = split_cost(stats(cost, read, written), [PRICED], Prices())
    assert found is not None
    assert found.input_usd + found.cached_usd + found.output_usd == cost
    assert found.output_usd == USD(written) * 8 / 1_000_000
    slack = 2 * USD("0.005") * cost + USD("0.000004")
    assert abs(found.cached_usd - USD(cached) * USD("0.5") / 1_000_000) <= slack


def test_nothing_is_told_of_what_has_no_price() -> None:
    assert split_cost(stats(None), [PRICED], Prices()) is None
    assert split_cost(stats(USD("0.0028"), unpriced=1), [PRICED], Prices()) is None
    assert split_cost(stats(USD("0.0028")), [EndpointConfig("free", models=("m",))], Prices()) is None
    assert split_cost(stats(USD("0.0028")), [], Prices()) is None


def test_nothing_is_told_where_the_servers_of_a_pool_have_different_prices() -> None:
    dearer = EndpointConfig("api", price_input=USD(3), price_output=USD(8), models=("m",))
    assert split_cost(stats(USD("0.0028")), [PRICED, dearer], Prices()) is None


@pytest.mark.parametrize("cost", ["0.0100", "0.0002"])
def test_nothing_is_told_where_prices_have_changed_since(cost: str) -> None:
    """More than the full price, or less than all cached would be."""
    assert split_cost(stats(USD(cost)), [PRICED], Prices()) is None
