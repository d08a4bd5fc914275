"""What sweeps of limits measured, and what one would take."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from core.base.records import RunStatus


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
