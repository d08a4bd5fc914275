"""What calls cost: the endpoint's prices, the provider's list, or unknown, which is not zero."""

from __future__ import annotations

from decimal import Decimal

import genai_prices
import pytest

from core.base.endpoints import EndpointConfig
from core.base.records import Usage
from core.models import PRACTICE_PRICES, Prices


def test_an_endpoints_own_prices_win() -> None:
    """Prices per million tokens in the configuration are used, whatever the provider's list says."""
    endpoint = EndpointConfig("e", provider="openai", price_input=Decimal("0.2"), price_output=Decimal("0.8"))
    assert Prices().cost(endpoint, "gpt-4o-mini", Usage(1_000_000, 500_000)) == Decimal("0.6")


def test_a_provider_is_priced_by_its_list() -> None:
    """genai-prices is asked under the endpoint's provider; cached tokens are cheaper, and money is Decimal."""
    prices, endpoint = Prices(), EndpointConfig("e", provider="openai")
    full = prices.cost(endpoint, "gpt-4o-mini", Usage(1000, 100))
    cached = prices.cost(endpoint, "gpt-4o-mini", Usage(1000, 100, cached_tokens=800))
    assert full == Decimal("0.00021")
    assert cached is not None
    assert Decimal(0) < cached < full
    assert isinstance(full, Decimal)


@pytest.mark.parametrize(
    ("endpoint", "model"),
    [
        (EndpointConfig("e"), "gpt-4o-mini"),
        (EndpointConfig("e", provider="openai"), "no-such-model"),
        (EndpointConfig("e", provider="no-such-provider"), "gpt-4o-mini"),
        (EndpointConfig("e", price_input=Decimal(1)), "m"),
    ],
)
def test_an_unknown_price_is_unknown(endpoint: EndpointConfig, model: str) -> None:
    """Without a provider, with an unknown model or provider, or with half a price, cost and ceiling are None."""
    prices = Prices()
    for _ in range(2):
        assert prices.cost(endpoint, model, Usage(10, 10)) is None
        assert prices.ceiling(endpoint, model, 10, 10) is None


def test_a_ceiling_is_never_below_the_cost() -> None:
    """The ceiling charges all of max_tokens and nothing as cached."""
    prices, endpoint = Prices(), EndpointConfig("e", provider="openai")
    ceiling = prices.ceiling(endpoint, "gpt-4o-mini", 1000, 160)
    for usage in (Usage(1000, 160), Usage(1000, 12, cached_tokens=1000), Usage(0, 0)):
        cost = prices.cost(endpoint, "gpt-4o-mini", usage)
        assert cost is not None
        assert ceiling is not None
        assert cost <= ceiling


def test_the_embedded_model_is_free_and_practice_is_priced() -> None:
    """The extractive model costs nothing; a practice server's models have their declared, simulated price."""
    prices = Prices()
    assert prices.cost(EndpointConfig("e", "extractive"), "extractive", Usage(10, 10)) == 0
    read, written = PRACTICE_PRICES["practice-large"]
    cost = prices.cost(EndpointConfig("p", "practice"), "practice-large", Usage(1_000_000, 1_000_000))
    assert cost == read + written
    assert prices.cost(EndpointConfig("o"), "practice-large", Usage(1, 1)) is None


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o-mini"),
        ("openai", "gpt-4.1-nano"),
        ("openai", "gpt-3.5-turbo"),
        ("anthropic", "claude-3-5-haiku-latest"),
        ("google", "gemini-2.5-flash"),
        ("google", "gemini-2.5-pro"),
        ("deepseek", "deepseek-chat"),
        ("groq", "llama-3.1-8b-instant"),
        ("mistral", "mistral-small-latest"),
    ],
)
def test_costs_are_those_of_the_list(provider: str, model: str) -> None:
    """Whether a model's price is plain, in tiers or by the time of day: our figure is genai-prices'."""
    for usage in (Usage(900, 100), Usage(900, 100, 500), Usage(400_000, 5_000), Usage(0, 0)):
        tokens = genai_prices.Usage(
            input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cache_read_tokens=usage.cached_tokens
        )
        expected = genai_prices.calc_price(tokens, model, provider_id=provider).total_price
        assert Prices().cost(EndpointConfig("e", provider=provider), model, usage) == expected


def test_free_is_a_price() -> None:
    """An endpoint whose prices are zero costs zero, not "unpriced"."""
    endpoint = EndpointConfig("e", price_input=Decimal(0), price_output=Decimal(0))
    assert Prices().cost(endpoint, "m", Usage(5, 5)) == 0
