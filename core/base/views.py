"""What a page, `--json` and a test may see of the store: frozen snapshots, never rows or connections.

Durations are seconds, times `*_at` wall seconds since the epoch, `t` seconds since the run's start, money `Decimal`
US dollars with None for "unpriced". What answers "what if" and "why" is in `core.base.tuning_views`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from core.base.records import Citation, Evidence, ItemStatus, RunStatus


@dataclass(frozen=True, slots=True)
class RunView:
    """One run with its counters: selected = done + failed + refused + no_reviews + pending."""

    id: str
    workload: str
    status: RunStatus
    reason: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    settings: Mapping[str, Any]
    selected: int = 0
    done: int = 0
    failed: int = 0
    refused: int = 0
    no_reviews: int = 0
    pending: int = 0
    wall_s: float = 0.0
    cost_usd: Decimal | None = None
    unpriced_calls: int = 0
    search_limit: int = 0
    llm_limit: int = 0
    owner: str = ""
    owner_alive: bool = False
    measures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item in the catalogue, and its state in a run where one was asked for."""

    id: str
    name: str
    kind: str
    fields: Mapping[str, Any]
    reviews: int
    status: ItemStatus | None = None
    finished_s: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ItemPage:
    """A page of items and how many there are in all under the same filter."""

    rows: tuple[ItemView, ...]
    total: int


@dataclass(frozen=True, slots=True)
class ResultView:
    """One stored result. `part` is '' for a stage that is once per item."""

    item_id: str
    item_name: str
    stage: str
    part: str
    status: str
    text: str
    evidence: tuple[Evidence, ...]
    citations: tuple[Citation, ...]
    flags: tuple[str, ...]
    model: str | None
    cost_usd: Decimal | None
    error: str | None = None


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
class DayView:
    """What all runs have spent, or have in flight, of this day by the machine's clock, and the most they may (None:
    any). by_hand: the budget stands on this process's command line, so that the stored one does not count."""

    spent_usd: Decimal
    budget_usd: Decimal | None
    by_hand: bool = False


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
class AttemptView:
    """One request, for the timeline. `t` is when it was sent, `queue_s` the wait before that, `why` which layer chose
    its model, or what made it a fallback."""

    id: int
    item_id: str
    stage: str
    parts: tuple[str, ...]
    number: int
    resource: str
    endpoint: str
    model: str
    state: str
    t: float
    queue_s: float
    service_s: float | None
    ttft_s: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: Decimal | None
    status: int | None
    error: str | None
    max_tokens: int | None = None
    temperature: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class ControlView:
    """One command to a run: who, when, what, old, new, why, and when it was obeyed (None: not yet)."""

    id: int
    run_id: str
    at: float
    who: str
    action: str
    old: str
    new: str
    reason: str
    applied_at: float | None
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """A live run in one frozen piece: what the Run page redraws from.

    rates are over the last 10 s; eta_s None where it cannot be told. bottleneck is (resource, share of time that
    gate was full, share of time the other was full) over the whole run, or None before there are samples.
    """

    run: RunView
    gates: Mapping[str, GateSample]
    items_per_s: float
    calls_per_s: Mapping[str, float]
    tokens_per_s: float
    eta_s: float | None
    bottleneck: tuple[str, float, float] | None
    stages: tuple[StageStats, ...] = ()
    controls: tuple[ControlView, ...] = ()


@dataclass(frozen=True, slots=True)
class Level:
    """What calls took while so many were in flight at their endpoint: mean seconds over `requests` calls.

    `in_flight` is the mean over the calls of the time-weighted number in flight while each was under way.
    """

    in_flight: float
    requests: int
    service_s: float


@dataclass(frozen=True, slots=True)
class StageHistory:
    """What one request of a (stage, model, endpoint, number of parts) took in earlier runs.

    service_s, its percentiles and tokens are per successful request, from the newest run that has enough of them;
    `quantiles` are equally spaced from 0 to 1. in_flight: how many were in flight at the endpoint meanwhile (mean);
    `levels` say what they took at other numbers, over all the runs. Costs are per successful request and hold what
    its failed tries cost too; None where nothing was priced. failure_share: tries that failed or were rejected, of
    all, each after failure_s; skip_share: parts for which no call was needed, of all; commit_s: seconds that a write
    to the ledger took, before a call and after it.
    """

    stage: str
    resource: str
    model: str
    runs: int
    requests: int
    service_s: float
    service_p10_s: float
    service_p90_s: float
    input_tokens: float
    output_tokens: float
    cost_usd: Decimal | None
    cost_p10_usd: Decimal | None
    cost_p90_usd: Decimal | None
    endpoint: str = ""
    parts: int = 0
    quantiles: tuple[float, ...] = ()
    in_flight: float = 1.0
    levels: tuple[Level, ...] = ()
    failure_share: float = 0.0
    failure_s: float = 0.0
    skip_share: float = 0.0
    commit_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Caveat:
    """Something to know about a figure: a text's key and what to fill in. The keys are listed at `Forecast`."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run would do. `basis` says where the per-call figures come from: `history`, `sample` (a small run made
    for it), `extrapolation` (history, but of other numbers of calls in flight), or nothing yet (`none`).

    (low, expected, high): four of five runs should end between the outer two; None where there is no basis or no
    price. bottleneck: the resource that holds such a run back longest: search, llm, stage:NAME, endpoint:NAME,
    rate:NAME, or '' where nothing does for long. in_flight: mean calls in flight by resource.

    Caveats: `no_history` (stages, models), `one_level` (endpoint, measured, wanted): calls were measured at one number
    in flight only, so that the range tells how little is known; `beyond_measured` (endpoint, measured, wanted): more
    in flight than ever measured; `few_requests` (stage, requests); `borrowed_endpoint` (endpoint, of): no call has
    been measured there, another's are taken; `unpriced` (stages); `steady_state` (simulated, items): so many items
    were simulated, the rest follows from their steady rate; `auto_limit` (limit): it will be found while running;
    `sampled` (run_id, items, cost): from a run over so many items that was made for it.
    """

    items: int
    search_calls: int
    llm_calls: int
    duration_s: tuple[float, float, float] | None
    cost_usd: tuple[Decimal, Decimal, Decimal] | None
    basis: str
    caveats: tuple[Caveat, ...] = ()
    bottleneck: str = ""
    in_flight: Mapping[str, float] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """What a sweep measured at one limit.

    Latency and p95 are those of a call of mean and of great length (95th percentile); error is the relative standard
    error of throughput and latency; in_flight the mean number of calls there really were; tokens a call's mean output
    (0: searches), slope seconds per output token. calls, failed and rate_limited count everything sent at this limit;
    cost_item_usd is what an item costs there, None where there is no price; at: wall seconds.
    """

    limit: int
    calls_per_s: float
    tokens_per_s: float
    latency_s: float
    p95_s: float
    error: float
    in_flight: float
    samples: int
    at: float
    tokens: float = 0.0
    slope: float = 0.0
    p50_s: float | None = None
    calls: int = 0
    failed: int = 0
    rate_limited: int = 0
    cost_item_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class SweepView:
    """One sweep: a run whose limit followed a schedule; its id is the run's.

    resource: llm or search; url: the server's address without user info ('' for practice servers); server: the practice
    preset, else the endpoint's kind or the search backend; limits: the grid (empty: chosen while measuring). status,
    reason and cost are the run's; outcome is '' until the schedule is through, then `finished`, or `short` where the
    items or the server ended first, and `why` says what came of it.
    """

    id: str
    at: float
    who: str
    workload: str
    resource: str
    endpoint: str
    url: str
    server: str
    model: str
    limits: tuple[int, ...]
    slo_p95_s: float | None
    status: RunStatus
    reason: str
    outcome: str
    why: str
    ended_at: float | None = None
    cost_usd: Decimal | None = None
    owner_alive: bool = False
    points: tuple[SweepPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class SweepEstimate:
    """What a sweep would take: calls of the swept resource and items for the whole schedule, and what there is.

    reachable: the limits of the grid that the chosen items are enough for; tokens (input, output). cost_usd and
    duration_s are (expected, at most), None where nothing is known. basis: `sweep` (an earlier one of the same server
    and model), `history` (runs of the workload with the model), `caps` (prices times what a call may use at most),
    `free` (nothing is charged), or `none`. simulated: a practice server's prices, charged to nobody.
    """

    limits: tuple[int, ...]
    calls: int
    items_needed: int
    items: int
    reachable: tuple[int, ...]
    tokens: tuple[int, int] | None
    cost_usd: tuple[Decimal, Decimal] | None
    duration_s: tuple[float, float] | None
    basis: str
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class AllocationView:
    """One value of a stage's allocation ('' as the stage: of the workload), which layer says it, and what the weaker
    layers beneath would say: (value, source), strongest first."""

    workload: str
    stage: str
    key: str
    value: str | int | float | tuple[str, ...] | None
    source: str
    overridden: tuple[tuple[str | int | float | tuple[str, ...] | None, str], ...] = ()


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint as configuration and database together say. `source` is where it stands, both where the database
    changes what the configuration says; a removed one takes no new calls; `problem` says why what the database holds
    is ignored."""

    name: str
    kind: str
    url: str
    models: tuple[str, ...]
    limit: int | None
    rpm: int | None
    tpm: int | None
    source: str
    removed: bool = False
    key_env: str | None = None
    key_set: bool = False
    problem: str = ""
