"""Where calls for a model go, and what they cost there."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from core.base.records import Model, Usage


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
    """Where calls for a model go. `model` is the name the server knows."""

    endpoint: str
    model: str
    client: Model
    pricing: Pricing
    stream: bool = True
