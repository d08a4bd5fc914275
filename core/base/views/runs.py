"""A run, its items, results, attempts and commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from core.base.records import Citation, Evidence, ItemStatus, RunStatus
from core.base.views.measured import GateSample, StageStats


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
