"""What calls cost: the endpoint's prices, the provider's list, or unknown, which is not zero."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import genai_prices
import pytest

from core.base.endpoints import EndpointConfig
from core.base.records import Message, ModelRequest, Usage
from core.models import PRACTICE_PRICES, Prices, rent
from core.models.replies import parse_usage


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


def test_cached_input_has_its_own_price() -> None:
    """By hand: 2,000 read of which 1,500 cached, 100 written, at 3, 0.3 and 15 USD a million: 0.00345 USD."""
    priced = EndpointConfig("e", price_input=Decimal(3), price_output=Decimal(15), price_cached=Decimal("0.3"))
    usage = Usage(2_000, 100, cached_tokens=1_500)
    assert Prices().cost(priced, "m", usage) == Decimal("0.00345")
    same = EndpointConfig("e", price_input=Decimal(3), price_output=Decimal(15))
    assert Prices().cost(same, "m", usage) == Decimal("0.0075")


def test_anthropics_cache_is_read_cheaply_and_written_dearly() -> None:
    """By hand, Claude Haiku 4.5 at 1, 5, 0.10 (read) and 1.25 (written): of 1,000 tokens 600 read, 200 written, plus
    100 of output: 200 x 1 + 600 x 0.1 + 200 x 1.25 + 100 x 5 = 1,010 millionths."""
    usage = Usage(1_000, 100, cached_tokens=600, stored_tokens=200)
    assert Prices().cost(EndpointConfig("a", "anthropic"), "claude-haiku-4-5", usage) == Decimal("0.00101")


def test_openais_cache_is_read_at_a_quarter() -> None:
    """By hand, GPT-4.1 mini at 0.40, 1.60 and 0.10: 400 x 0.4 + 600 x 0.1 + 100 x 1.6 = 380 millionths."""
    cost = Prices().cost(EndpointConfig("o", provider="openai"), "gpt-4.1-mini", Usage(1_000, 100, cached_tokens=600))
    assert cost == Decimal("0.00038")


def test_a_rented_machine_has_no_price_of_tokens() -> None:
    """Its rent is USD a second for all its GPUs: 4 at 1.80 USD an hour are 0.002."""
    rented = EndpointConfig("e", provider="openai", gpu_hour=Decimal("1.80"), gpus=4)
    assert rent(rented) == Decimal("0.002")
    assert rent(EndpointConfig("e")) is None
    assert Prices().cost(rented, "gpt-4o-mini", Usage(10, 10)) is None
    assert rent(EndpointConfig("e", gpu_hour=Decimal(0))) == 0


REQUEST = ModelRequest("m", (Message("user", "hi"),))


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        # OpenAI: thoughts are within the completion.
        (
            {"prompt_tokens": 10, "completion_tokens": 90, "total_tokens": 100, "completion_tokens_details": 64},
            Usage(10, 90, reasoning_tokens=64),
        ),
        # xAI: beside it, and the total says so.
        (
            {"prompt_tokens": 10, "completion_tokens": 26, "total_tokens": 100, "completion_tokens_details": 64},
            Usage(10, 90, reasoning_tokens=64),
        ),
        # Google: nowhere but in the total.
        ({"prompt_tokens": 10, "completion_tokens": 26, "total_tokens": 100}, Usage(10, 90, reasoning_tokens=64)),
        # No total: more thoughts than completion can only be beside it.
        (
            {"prompt_tokens": 10, "completion_tokens": 26, "completion_tokens_details": 64},
            Usage(10, 90, 0, False, 0, 64),
        ),
        # A total that fits neither reading is not believed.
        (
            {"prompt_tokens": 10, "completion_tokens": 90, "total_tokens": 500, "completion_tokens_details": 64},
            Usage(10, 90, reasoning_tokens=64),
        ),
        ({"prompt_tokens": 10, "completion_tokens": 90, "total_tokens": 90}, Usage(10, 90)),
        ({"prompt_tokens": 10, "completion_tokens": 90, "total_tokens": 100, "cached": 4}, Usage(10, 90, 4)),
    ],
)
def test_thoughts_are_paid_for_once(told: dict[str, Any], usage: Usage) -> None:
    """Reasoning tokens are output, counted within the completion or beside it as the server does."""
    told = dict(told)
    if "completion_tokens_details" in told:
        told["completion_tokens_details"] = {"reasoning_tokens": told["completion_tokens_details"]}
    if "cached" in told:
        told["prompt_tokens_details"] = {"cached_tokens": told.pop("cached")}
    assert parse_usage(told, REQUEST) == usage
