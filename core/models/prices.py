"""What calls cost, in US dollars: the endpoint's own prices, else genai-prices under its provider, else unknown."""

from __future__ import annotations

from decimal import Decimal

from core.base.endpoints import EndpointConfig
from core.base.records import Usage

MILLION = Decimal(1_000_000)
# USD per million tokens. The practice server's models have prices too, so that a rehearsal has costs to look at.
PRACTICE_PRICES = {
    "practice-small": (Decimal("0.15"), Decimal("0.60")),
    "practice-large": (Decimal("2.50"), Decimal("10.00")),
}


class Prices:
    """Costs of calls by endpoint and model; None is "unpriced", which is not the same as free."""

    def __init__(self) -> None:
        self._unknown: set[tuple[str, str]] = set()

    def __repr__(self) -> str:
        return f"<Prices {len(self._unknown)} unknown>"

    def cost(self, endpoint: EndpointConfig, model: str, usage: Usage) -> Decimal | None:
        """What a call cost; None where a price is missing. The embedded model costs nothing."""
        if endpoint.kind == "extractive":
            return Decimal(0)
        rates = _own_rates(endpoint, model)
        if rates:
            return (usage.input_tokens * rates[0] + usage.output_tokens * rates[1]) / MILLION
        return self._listed(endpoint.provider, model, usage) if endpoint.provider else None

    def ceiling(self, endpoint: EndpointConfig, model: str, input_tokens: int, max_tokens: int) -> Decimal | None:
        """The most a call can cost: its prompt, nothing of it cached, and all of max_tokens."""
        return self.cost(endpoint, model, Usage(input_tokens, max_tokens))

    def _listed(self, provider: str, model: str, usage: Usage) -> Decimal | None:
        if (provider, model) in self._unknown:
            return None
        import genai_prices  # 0.1 s, which only endpoints with a provider pay

        tokens = genai_prices.Usage(
            input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cache_read_tokens=usage.cached_tokens
        )
        try:
            return genai_prices.calc_price(tokens, model, provider_id=provider).total_price
        except LookupError:
            self._unknown.add((provider, model))
            return None


def _own_rates(endpoint: EndpointConfig, model: str) -> tuple[Decimal, Decimal] | None:
    if endpoint.price_input is not None and endpoint.price_output is not None:
        return endpoint.price_input, endpoint.price_output
    return PRACTICE_PRICES.get(model) if endpoint.kind == "practice" else None
