"""What of a stage's cost is for tokens read, for tokens from a cache, for tokens written: from its sums and prices."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from core.base.endpoints import EndpointConfig
from core.base.records import Usage
from core.base.views import StageCost, StageStats
from core.models.prices import Prices

MILLION = 1_000_000
TOLERANCE = Decimal("0.005")  # of the cost: calls are rounded to a nano-dollar each


def split_cost(stats: StageStats, endpoints: Sequence[EndpointConfig], prices: Prices) -> StageCost | None:
    """The parts of a stage's cost; None where prices are unknown, differ between its endpoints, or don't explain it.

    What the cost is below that of all tokens at their full price was saved by a cache: of c cached tokens at price k
    instead of r, that is c (r - k).
    """
    if stats.cost_usd is None or stats.unpriced_calls:
        return None
    rates = {_rates(endpoint, stats.model, prices) for endpoint in endpoints}
    found = rates.pop() if len(rates) == 1 else None
    if found is None:
        return None
    read, written, cached = (price / MILLION for price in found)
    output = stats.output_tokens * written
    saved = stats.input_tokens * read + output - stats.cost_usd
    slack = TOLERANCE * stats.cost_usd
    if saved < -slack:
        return None
    if saved <= slack:
        return StageCost(stats.stage, stats.model, stats.cost_usd - output, Decimal(0), output)
    tokens = round(saved / (read - cached)) if read > cached else stats.input_tokens + 1
    if tokens > stats.input_tokens:
        return None
    paid = tokens * cached
    return StageCost(stats.stage, stats.model, stats.cost_usd - output - paid, paid, output, tokens)


def _rates(endpoint: EndpointConfig, model: str, prices: Prices) -> tuple[Decimal, Decimal, Decimal] | None:
    """USD per million tokens read, written and cached, where an endpoint has a price of tokens."""
    each = (Usage(MILLION, 0), Usage(0, MILLION), Usage(MILLION, 0, cached_tokens=MILLION))
    read, written, cached = (prices.cost(endpoint, model, usage) for usage in each)
    return None if read is None or written is None or cached is None else (read, written, cached)
