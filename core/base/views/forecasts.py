"""What calls took before, and what a run is expected to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any


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
