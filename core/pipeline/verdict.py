"""What follows from a failed model call: pure, so that the table of faults is read and tested in one place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from core.base.errors import (
    BrokenReplyError,
    ContextTooLongError,
    MalformedError,
    ModelError,
    RateLimitedError,
    RefusedError,
    RejectedError,
    ServerFaultError,
    UnreachableError,
)
from core.base.records import Outcome

LONGEST_COOL_DOWN_S = 120.0
MOST_REJECTIONS = 50
LONGEST_NAMED_S = 366 * 86_400.0


class Verdict(StrEnum):
    """What to do with a call after a failure."""

    RETRY = "retry"
    COOL_DOWN = "cool_down"
    TRIM = "trim"
    NEXT_MODEL = "next_model"
    REFUSE = "refuse"
    HALT = "halt"


@dataclass(slots=True)
class Tries:
    """What one call has been through on one model. `most` is the stage's number of attempts; `excused` says that the
    last failure was the endpoint's outage, which burns none of them; `latency_s` is how long that takes as a rule."""

    most: int
    failed: int = 0
    rejected: int = 0
    doubtful: int = 0
    malformed: int = 0
    trimmed: bool = False
    excused: bool = False
    latency_s: float = 0.0


def judge(error: ModelError, tries: Tries) -> Verdict:
    """Count the failure in `tries` and say what follows."""
    if isinstance(error, RejectedError):
        return Verdict.HALT
    if isinstance(error, RefusedError):
        return Verdict.REFUSE
    if isinstance(error, RateLimitedError):
        return _rate_limited(error, tries)
    if isinstance(error, ContextTooLongError):
        return _too_long(tries)
    return _fault(error, tries)


def _rate_limited(error: RateLimitedError, tries: Tries) -> Verdict:
    tries.rejected += 1
    if error.retry_after is not None and error.retry_after > LONGEST_COOL_DOWN_S:
        return Verdict.HALT
    if tries.rejected > MOST_REJECTIONS:
        return Verdict.NEXT_MODEL
    return Verdict.RETRY if error.retry_after is None else Verdict.COOL_DOWN


def _too_long(tries: Tries) -> Verdict:
    if tries.trimmed:
        return Verdict.NEXT_MODEL
    tries.trimmed = True
    return Verdict.TRIM


def _fault(error: ModelError, tries: Tries) -> Verdict:
    if tries.excused and error.retryable:
        return Verdict.RETRY
    tries.failed += 1
    tries.doubtful += isinstance(error, BrokenReplyError)
    tries.malformed += isinstance(error, MalformedError)
    again = error.retryable and tries.failed < tries.most and tries.doubtful < 2 and tries.malformed < 2
    return Verdict.RETRY if again else Verdict.NEXT_MODEL


def state_of(error: ModelError) -> str:
    """The ledger's word for a failed attempt."""
    if isinstance(error, RateLimitedError):
        return "rate_limited"
    return "refused" if isinstance(error, RefusedError) else "failed"


def outcome_of(error: ModelError) -> Outcome:
    """What the failure tells the limit: only a server that cannot keep up is overload."""
    overloaded = isinstance(error, RateLimitedError) or (
        isinstance(error, ServerFaultError) and error.status in (429, 503, 529)
    )
    return Outcome.OVERLOAD if overloaded else Outcome.IGNORED


def may_have_cost(error: ModelError) -> bool:
    """Whether the reservation must be kept as cost: the request was sent and billing is unknown."""
    return error.sent and isinstance(error, (BrokenReplyError, MalformedError))


def reason_of(error: ModelError, now: float) -> str:
    """Why the run pauses, and where the server said so, when it may go on. `now`: wall seconds."""
    wait = error.retry_after if isinstance(error, RateLimitedError) else None
    if wait is None:
        return str(error)
    moment = datetime.fromtimestamp(now + min(wait, LONGEST_NAMED_S), UTC)
    return f"{error} It asks to wait {wait:.0f} s: resume the run after {moment:%Y-%m-%d %H:%M:%S} UTC."


def unreachable(error: ModelError) -> bool:
    """Whether nobody answered at all."""
    return isinstance(error, UnreachableError)
