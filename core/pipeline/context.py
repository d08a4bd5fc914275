"""What every stage of one run shares."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.base.allocation import Allocation
from core.base.clock import Clock
from core.base.records import Attempt, ModelReply, NodeResult, RunStatus, Searcher, Settlement
from core.base.workload import Stage, Workload
from core.flow import Backoff, Budget, Gate, RetryBudget, StagePatience
from core.pipeline.fences import Fences
from core.pipeline.gate_tuner import GateTuner
from core.pipeline.pool import Pool
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


class Cache(Protocol):
    """Answers of earlier runs by the hash of what was asked; the store has one."""

    async def get(self, key: str) -> ModelReply | None: ...
    def keep(self, key: str, reply: ModelReply) -> None: ...


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


@dataclass(slots=True)
class Counters:
    """What a run counts besides the ledger."""

    retries: int = 0
    rate_limited: int = 0
    fallbacks: int = 0
    second_pass: int = 0


@dataclass(slots=True)
class Halt:
    """Why a run stopped admitting work before its items were through."""

    status: RunStatus
    reason: str


@dataclass(slots=True)
class Context:
    """The gates, clients, money and records of one run. `pool` finds the endpoints of a model name;
    `queued` counts the model calls that wait for a seat; `endgame` lets the last calls go in another order; `searches`
    is told of every search; `stage_gates` limit single model stages; `held_back` says that memory is short: no new
    items for now."""

    run_id: str
    workload: Workload
    searcher: Searcher | None
    pool: Callable[[str], Pool]
    allocate: Callable[[Stage], Allocation]
    gates: Mapping[str, Gate]
    recorder: Recorder
    clock: Clock
    budget: Budget = field(default_factory=Budget)
    backoff: Backoff = field(default_factory=Backoff)
    retries: RetryBudget = field(default_factory=RetryBudget)
    patience: StagePatience = field(default_factory=StagePatience)
    counters: Counters = field(default_factory=Counters)
    fences: Fences = field(default_factory=Fences)
    search_timeout_s: float = 10.0
    halted: Halt | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    search_failures: int = 0
    queued: int = 0
    endgame: bool = True
    held_back: bool = False
    cache: Cache | None = None
    searches: GateTuner | None = None
    stage_gates: Mapping[str, Gate] = field(default_factory=dict)

    def halt(self, status: RunStatus, reason: str) -> None:
        """Admit no more; what is in flight finishes. The first reason stands."""
        if self.halted is None:
            self.halted = Halt(status, reason)
        self.stopping.set()
        for gate in (*self.gates.values(), *self.stage_gates.values()):
            gate.shut()
