"""What calls cost, in US dollars: the endpoint's own prices, else genai-prices under its provider, else unknown.

An endpoint paid for by the hour has no price of tokens: its calls share its `rent`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from core.base.endpoints import EndpointConfig
from core.base.records import Usage

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

MILLION = Decimal(1_000_000)
# USD per million tokens. The practice server's models have prices too, so that a rehearsal has costs to look at.
PRACTICE_PRICES = {
    "practice-small": (Decimal("0.15"), Decimal("0.60")),
    "practice-large": (Decimal("2.50"), Decimal("10.00")),
}


# With these prices and no others a text call costs its tokens; the last ones are for what it does not use.
_TOKEN_PRICES = {
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "cache_write_1h_mtok",
    "input_audio_mtok",
    "cache_audio_read_mtok",
    "output_audio_mtok",
    "web_searches_kcount",
    "storage_searches_kcount",
}
HOUR_S = Decimal(3600)


class Rates(NamedTuple):
    """USD per million tokens: read, written, read from a cache, read and put into one."""

    read: Decimal
    written: Decimal
    cached: Decimal
    stored: Decimal


def rent(endpoint: EndpointConfig) -> Decimal | None:
    """USD a second for the GPUs of an endpoint that is paid for by the hour; None for any other."""
    return None if endpoint.gpu_hour is None else endpoint.gpu_hour * endpoint.gpus / HOUR_S


class Prices:
    """Costs of calls by endpoint and model; None is "unpriced", which is not the same as free."""

    def __init__(self) -> None:
        self._listed: dict[tuple[str, str], Listed] = {}

    def __repr__(self) -> str:
        return f"<Prices {len(self._listed)} looked up>"

    def cost(self, endpoint: EndpointConfig, model: str, usage: Usage) -> Decimal | None:
        """What a call cost; None where a price is missing. The embedded model costs nothing."""
        if endpoint.kind == "extractive":
            return Decimal(0)
        if endpoint.gpu_hour is not None:
            return None
        if rates := _own_rates(endpoint, model):
            return _linear(rates, usage)
        provider = endpoint.provider or ("anthropic" if endpoint.kind == "anthropic" else None)
        if provider is None:
            return None
        key = provider, model
        listed = self._listed.get(key) or self._listed.setdefault(key, Listed(*key))
        return listed.cost(usage)

    def ceiling(self, endpoint: EndpointConfig, model: str, input_tokens: int, max_tokens: int) -> Decimal | None:
        """The most a call can cost: its prompt, nothing of it cached, and all of max_tokens."""
        return self.cost(endpoint, model, Usage(input_tokens, max_tokens))


class Listed:
    """A model in genai-prices, asked once where its price is per token and no more: each question takes 70 µs."""

    def __init__(self, provider: str, model: str) -> None:
        self._provider = provider
        self._model = model
        found = self._ask(Usage(0, 0))
        self._known = found is not None
        self._rates = _plain_rates(found) if found else None

    def cost(self, usage: Usage) -> Decimal | None:
        """What so many tokens cost; None for a model that is not listed."""
        if not self._known:
            return None
        if self._rates:
            return _linear(self._rates, usage)
        found = self._ask(usage)
        return found.total_price if found else None

    def _ask(self, usage: Usage) -> PriceCalculation | None:
        import genai_prices  # 0.1 s, which only endpoints with a provider pay

        tokens = genai_prices.Usage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cached_tokens,
            cache_write_tokens=usage.stored_tokens,
        )
        try:
            return genai_prices.calc_price(tokens, self._model, provider_id=self._provider)
        except LookupError:
            return None


def _plain_rates(found: PriceCalculation) -> Rates | None:
    """The rates of plain tokens; None where tiers, times of day or other units play a part."""
    if isinstance(found.model.prices, list):
        return None
    told = {name: price for name, price in vars(found.model_price).items() if price is not None}
    if not {"input_mtok", "output_mtok"} <= told.keys() <= _TOKEN_PRICES:
        return None
    if not all(isinstance(price, Decimal) for price in told.values()):
        return None
    read, written = told["input_mtok"], told["output_mtok"]
    return Rates(read, written, told.get("cache_read_mtok", read), told.get("cache_write_mtok", read))


def _linear(rates: Rates, usage: Usage) -> Decimal:
    fresh = usage.input_tokens - usage.cached_tokens - usage.stored_tokens
    kept = usage.cached_tokens * rates.cached + usage.stored_tokens * rates.stored
    return (fresh * rates.read + kept + usage.output_tokens * rates.written) / MILLION


def _own_rates(endpoint: EndpointConfig, model: str) -> Rates | None:
    if endpoint.price_input is not None and endpoint.price_output is not None:
        read = endpoint.price_input
        cached = read if endpoint.price_cached is None else endpoint.price_cached
        return Rates(read, endpoint.price_output, cached, read)
    if endpoint.kind == "practice" and model in PRACTICE_PRICES:
        read, written = PRACTICE_PRICES[model]
        return Rates(read, written, read, read)
    return None
