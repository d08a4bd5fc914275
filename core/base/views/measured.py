"""What a run was measured to do: by stage, by slice of time, gate by gate and endpoint by endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class StageStats:
    """One (stage, model) of a run: counts, latency quantiles, tokens, money."""

    stage: str
    resource: str
    model: str
    attempts: int
    calls: int
    ok: int
    failed: int
    rate_limited: int
    retries: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    queue_p50_s: float | None
    queue_p95_s: float | None
    ttft_p50_s: float | None
    ttft_p95_s: float | None
    service_s: float
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal | None
    unpriced_calls: int


@dataclass(frozen=True, slots=True)
class StageCost:
    """What a (stage, model) paid for: tokens read at the full price, read from a cache, and written. They add up to
    its cost; cached_tokens follow from the price that was paid for them."""

    stage: str
    model: str
    input_usd: Decimal
    cached_usd: Decimal
    output_usd: Decimal
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Bucket:
    """One (stage, model) in one slice of `width_s` seconds that begins at `t`."""

    t: float
    width_s: float
    stage: str
    resource: str
    model: str
    attempts: int
    ok: int
    failed: int
    rate_limited: int
    p50_s: float | None
    p95_s: float | None
    output_tokens: int
    cost_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class GateSample:
    """A gate at one moment: the limit, permits out, waiters; averages and shares are over the time since the last
    sample. `full_share` is the part of that time in which every permit was out and somebody waited."""

    t: float
    resource: str
    limit: int
    in_flight: int
    waiting: int
    in_flight_avg: float
    full_share: float
    peak: int


@dataclass(frozen=True, slots=True)
class LimitChangeView:
    """A limit that changed, why, and by whom: `auto`, or the operator. `t`: seconds since the run's start.

    resource: `search` or `llm`; endpoint: the one whose own limit it is, '' for the searches and for the number of
    model calls that the operator set for the whole run. phase says what the algorithm was about (`start`, `ramp`,
    `hold` ..); `fixed` is a number by hand, `held` a limit kept because another run tunes that endpoint. A row of phase
    `start` has old = new: what auto began with.
    """

    run_id: str
    t: float
    at: float
    resource: str
    endpoint: str
    old: int
    new: int
    reason: str
    phase: str
    who: str


@dataclass(frozen=True, slots=True)
class LaneSample:
    """An endpoint at one moment of a run: its limit there, calls in flight, callers that wait for its places.

    latency_s: recent mean (0.0 before the first answer); state: closed, open, half_open (its breaker) or draining;
    pacing_s: seconds until its quota lets a call pass; rate_limited and successes: calls since the last sample.
    """

    t: float
    endpoint: str
    limit: int
    in_flight: int
    waiting: int
    latency_s: float
    state: str
    pacing_s: float
    rate_limited: int
    successes: int
