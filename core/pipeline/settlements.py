"""How attempts end in the ledger: pure, one function per end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

from core.base.errors import ModelError
from core.base.records import Attempt, ModelReply, Outcome, Settlement
from core.pipeline.verdict import may_have_cost, outcome_of, state_of

WHY = 160


def answered(reply: ModelReply, seconds: float, cost: Decimal | None) -> Settlement:
    """A call whose answer is used."""
    return Settlement("ok", Outcome.SUCCESS, seconds, reply.ttft, reply.usage, cost)


def unusable(answer: Settlement, error: Exception) -> Settlement:
    """A call that was answered and paid for, and whose answer nobody can use."""
    if isinstance(error, ModelError):
        return replace(answer, state=state_of(error), outcome=Outcome.IGNORED, error=str(error))
    return replace(answer, state="failed", error=_unexpected(error))


def failed(error: ModelError, attempt: Attempt, seconds: float, lost: Decimal | None) -> Settlement:
    """A failed call; `lost` is what it cost where that is known without its usage."""
    unknown = attempt.reserved_usd if may_have_cost(error) else None
    return Settlement(
        state=state_of(error),
        outcome=outcome_of(error),
        service_s=seconds,
        cost_usd=unknown if lost is None else lost,
        error=str(error),
        status=error.status,
    )


def given_up(error: BaseException, attempt: Attempt, seconds: float, lost: Decimal | None) -> Settlement:
    """A call that was cancelled, or that a bug ended: what it may have cost stays reserved, unless it is known."""
    cost = attempt.reserved_usd if lost is None else lost
    if isinstance(error, asyncio.CancelledError):
        return Settlement("cancelled", Outcome.IGNORED, seconds, cost_usd=cost)
    return Settlement("failed", Outcome.IGNORED, seconds, cost_usd=cost, error=_unexpected(error))


def _unexpected(error: BaseException) -> str:
    return f"Unexpected {type(error).__name__}: {error}"


def told(error: ModelError) -> str:
    """A failure in few words: its status first, where it has one and does not say so itself."""
    text = str(error)
    return text if error.status is None or str(error.status) in text else f"{error.status} {text}"


def short(text: str) -> str:
    """The text on one line, cut to what a column of the ledger should hold."""
    line = " ".join(text.split())
    return line if len(line) <= WHY else f"{line[: WHY - 3]}..."
