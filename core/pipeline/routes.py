"""Where calls for a model go, and what they cost there."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from core.base.records import Model, Usage

# The ledger counts in billionths of a dollar.
SMALLEST = Decimal("1e-9")


class Pricing(Protocol):
    """What a call costs at most before it is sent, and what it did cost; None where there is no price."""

    def ceiling(self, model: str, input_tokens: int, max_tokens: int) -> Decimal | None: ...
    def cost(self, model: str, usage: Usage) -> Decimal | None: ...


class Unpriced:
    """The pricing of a model that has no price."""

    def ceiling(self, model: str, input_tokens: int, max_tokens: int) -> Decimal | None:
        return None

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        return None


@dataclass(frozen=True, slots=True)
class Route:
    """Where calls for a model go. `model` is the name the server knows.

    rent: USD a second for the machine behind it, where that is what is paid for, whatever the tokens; a call pays its
    share of the machine's time (`core.pipeline.rent`).
    """

    endpoint: str
    model: str
    client: Model
    pricing: Pricing
    stream: bool = True
    rent: Decimal | None = None

    def ceiling(self, input_tokens: int, max_tokens: int, share_s: float) -> Decimal | None:
        """What to set aside for a call that may take that many tokens, or so many seconds of a rented machine."""
        if self.rent is None:
            return self.pricing.ceiling(self.model, input_tokens, max_tokens)
        return _rented(self.rent, share_s)

    def cost(self, usage: Usage | None, share_s: float) -> Decimal | None:
        """What a call did cost; without its usage (it failed) that is known of a rented machine only."""
        if self.rent is not None:
            return _rented(self.rent, share_s)
        return None if usage is None else self.pricing.cost(self.model, usage)


def _rented(rent: Decimal, seconds: float) -> Decimal:
    return (rent * Decimal(seconds)).quantize(SMALLEST)
