"""What sizes a gate: facts about calls in, `(limit, reason)` out. Pure arithmetic: no I/O, no clock of its own.

All times are monotonic seconds that the caller passes in. A limit belongs to one resource: the calls of one endpoint,
or the searches. Who applies it (a gate, an endpoint's lane) and who tells it what happened are not its business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from core.base.records import Outcome

# What a token of the prompt costs a server, of what one of the answer does. APIs charge a fourth, batches take less.
PROMPT_SHARE = 1 / 8


@dataclass(frozen=True, slots=True)
class Sample:
    """A call that ended. `in_flight` counts the resource's calls when it started, itself included.

    tokens are 0 where the resource has none (searches); ttft_s is the time to the first token where it was streamed;
    busy says of an overload that the server spoke of calls in flight or of a full queue, not of a quota per minute;
    held_s: how long it counted as in flight before it was sent (its record is written first).
    """

    started_at: float
    ended_at: float
    outcome: Outcome
    in_flight: int
    input_tokens: int = 0
    output_tokens: int = 0
    ttft_s: float | None = None
    busy: bool = False
    held_s: float = 0.0

    @property
    def latency_s(self) -> float:
        """Seconds from sending to the whole answer."""
        return self.ended_at - self.started_at

    @property
    def work(self) -> float:
        """What it asked of the server, in output tokens; a prompt's are read many at once. 1 without any tokens."""
        return self.output_tokens + PROMPT_SHARE * self.input_tokens or 1.0


@dataclass(frozen=True, slots=True)
class Gauges:
    """What a server says of itself (vLLM's /metrics): requests that wait there, and preemptions so far."""

    at: float
    waiting: float
    preemptions: float


@dataclass(frozen=True, slots=True)
class LimitChange:
    """A new limit and why, in a sentence that an operator understands. phase: what the algorithm was about."""

    old: int
    new: int
    reason: str
    phase: str = ""


class Limit(Protocol):
    """An algorithm that sizes one resource. Every method but `started` may answer with a change, already in force in
    `limit` when it is returned."""

    @property
    def limit(self) -> int:
        """Calls that may be in flight now; at least 1."""

    def bound(self, at: float, floor: int, ceiling: int) -> LimitChange | None:
        """Stay within the operator's bounds from now on (both inclusive, 1 <= floor <= ceiling)."""

    def started(self, at: float, in_flight: int) -> None:
        """A call was sent; `in_flight` counts it."""

    def ended(self, sample: Sample) -> LimitChange | None:
        """A call came back, whatever came of it. Calls that we gave up ourselves are `ignored`."""

    def tick(self, at: float, in_flight: int, waiting: int) -> LimitChange | None:
        """About once a second: time passes. `waiting` callers want a permit (0: the limit is not what holds us)."""

    def down(self, at: float) -> LimitChange | None:
        """The resource stopped answering: its breaker opened."""

    def up(self, at: float) -> LimitChange | None:
        """It answers again: the breaker's probe came back well."""

    def gauges(self, gauges: Gauges) -> LimitChange | None:
        """What the server says of itself, where it can be read."""
