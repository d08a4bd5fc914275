"""What every stage of one run shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from core.base.allocation import Allocation
from core.base.clock import Clock
from core.base.records import Attempt, Model, NodeResult, RunStatus, Searcher, Settlement, Usage
from core.base.workload import Stage, Workload
from core.flow import Backoff, Budget, Gate, RetryBudget
from core.store import ItemDone


class Recorder(Protocol):
    """Where attempts and results are committed; the store's ledger is one, `Unrecorded` another."""

    async def begin(self, attempt: Attempt) -> int: ...
    async def settle(
        self,
        attempt_id: int,
        attempt: Attempt,
        settlement: Settlement,
        results: Sequence[NodeResult] = (),
        item: ItemDone | None = None,
    ) -> None: ...
    async def save(self, results: Sequence[NodeResult], item: ItemDone | None = None) -> None: ...


class Unrecorded:
    """A recorder that keeps nothing, for library use without a database."""

    async def begin(self, attempt: Attempt) -> int:
        return 0

    async def settle(
        self,
        attempt_id: int,
        attempt: Attempt,
        settlement: Settlement,
        results: Sequence[NodeResult] = (),
        item: ItemDone | None = None,
    ) -> None:
        return None

    async def save(self, results: Sequence[NodeResult], item: ItemDone | None = None) -> None:
        return None


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


@dataclass(slots=True)
class Counters:
    """What a run counts besides the ledger."""

    retries: int = 0
    rate_limited: int = 0
    fallbacks: int = 0


@dataclass(slots=True)
class Halt:
    """Why a run stopped admitting work before its items were through."""

    status: RunStatus
    reason: str


@dataclass(slots=True)
class Context:
    """The gates, clients, money and records of one run. `route` finds the server of a model name."""

    run_id: str
    workload: Workload
    searcher: Searcher | None
    route: Callable[[str], Route]
    allocate: Callable[[Stage], Allocation]
    gates: Mapping[str, Gate]
    recorder: Recorder
    clock: Clock
    budget: Budget = field(default_factory=Budget)
    backoff: Backoff = field(default_factory=Backoff)
    retries: RetryBudget = field(default_factory=RetryBudget)
    counters: Counters = field(default_factory=Counters)
    search_timeout_s: float = 10.0
    halted: Halt | None = None
    search_failures: int = 0

    def halt(self, status: RunStatus, reason: str) -> None:
        """Admit no more; what is in flight finishes. The first reason stands."""
        if self.halted is None:
            self.halted = Halt(status, reason)
        for gate in self.gates.values():
            gate.shut()
