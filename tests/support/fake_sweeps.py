"""Sweeps of the fake service: a finished one, one with a latency target that nothing meets, one under way, a failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from core.base.errors import RunError, UnknownError
from core.base.records import RunStatus
from core.base.views import SweepEstimate, SweepPoint, SweepView
from core.flow.limits import calls_needed
from core.tuning.sweep import frontier
from core.tuning.sweep_calls import reachable, schedule
from core.tuning.sweep_order import SweepOrder

STEP_S, PER_SEAT_S, SEATS, TOKENS = 0.014, 0.000_14, 128, 60.0
LIMITS = (1, 4, 16, 48, 96, 128, 192)
LLM_NODES = 4


def measured(limit: int, at: float, *, speed: float = 1.0, cost: Decimal | None = Decimal("0.0076")) -> SweepPoint:
    """What a GPU with 128 seats gives at a limit, with a little of chance in it."""
    seated = min(limit, SEATS)
    latency = TOKENS * (STEP_S + PER_SEAT_S * seated) / speed * max(1.0, limit / SEATS)
    latency *= 1 + 0.01 * ((limit * 7) % 5 - 2)
    rate = limit / latency
    return SweepPoint(
        limit, rate, rate * TOKENS, latency, 1.6 * latency, 0.02 + 0.1 / limit, limit - 0.2, 16 + limit // 3, at,
        TOKENS, 0.012, 0.93 * latency, 30 + 2 * limit, limit // 100, max(0, limit - 128) // 10, cost,
    )  # fmt: skip


class FakeSweeps:
    """The sweeping half of the fake service; expects `sent`, `scene`, `refuse` and `opened` beside it."""

    sent: list[tuple[Any, ...]]
    scene: str
    refuse: str | None
    opened: float
    clock: Callable[[], float] = time.time

    def sweeps(self, *, workload: str | None = None, resource: str | None = None, limit: int = 50) -> list[SweepView]:
        found = [] if self.scene == "empty" else self._kept()
        return [s for s in found if workload in (None, s.workload) and resource in (None, s.resource)][:limit]

    def sweep(self, sweep_id: str) -> SweepView:
        known = self.sweeps()
        found = next((s for s in known if s.id == sweep_id), None)
        if found is None:
            msg = f"There is no sweep {sweep_id!r}. The last ones are {', '.join(s.id for s in known) or 'none'}."
            raise UnknownError(msg)
        return found

    def estimate_sweep(self, order: SweepOrder) -> SweepEstimate:
        limits = schedule(order.limits)
        if max(limits) > 1000:
            msg = f"A limit of {max(limits)} is above endpoint 'practice's own limit of 1000."
            raise RunError(msg)
        calls = calls_needed(limits)
        items = 240 if order.items == "all" else int(order.items)
        free = order.resource == "search" or order.endpoint == "embedded"
        each = Decimal("0.0019") if not free else Decimal(0)
        return SweepEstimate(
            limits, calls, -(-calls // LLM_NODES), items, reachable(limits, items * LLM_NODES),
            (820 * calls, 96 * calls), (each * calls, each * calls * Decimal("1.1")),
            (calls * 0.05, calls * 0.07), "history",
            simulated=order.preset is not None or order.endpoint == "practice",
        )  # fmt: skip

    def start_sweep(self, order: SweepOrder, *, who: str) -> str:
        if self.refuse:
            raise RunError(self.refuse)
        self.sent.append(("sweep", order.workload, order.items, order.resource, order.limits, order.endpoint, order.preset, who))  # fmt: skip  # noqa: E501
        return "sweep-live"

    def apply_sweep(self, sweep_id: str, *, who: str) -> list[str]:
        knee = frontier(self.sweep(sweep_id).points, self.sweep(sweep_id).slo_p95_s).knee
        self.sent.append(("apply", sweep_id, knee, who))
        return ["run-live"]

    def _kept(self) -> list[SweepView]:
        at = self.opened
        done = _sweep("sweep-done", at - 7200, LIMITS)
        live = replace(done, id="sweep-live", at=at - 30, status=RunStatus.RUNNING, outcome="", points=done.points[:3])
        other = replace(
            _sweep("sweep-old", at - 9 * 86_400, LIMITS, speed=0.62), endpoint="gpu-2", model="practice-large"
        )
        unmet = replace(_sweep("sweep-unmet", at - 90_000, LIMITS), slo_p95_s=0.8)
        failed = replace(
            _sweep("sweep-failed", at - 100_000, LIMITS[:2]), status=RunStatus.PAUSED, outcome="short",
            reason="No endpoint answers. practice: connection refused", why="The sweep ended early: 2 limits measured.",
        )  # fmt: skip
        nothing = replace(failed, id="sweep-none", at=at - 110_000, status=RunStatus.CANCELLED, points=())
        search = replace(_sweep("sweep-search", at - 120_000, LIMITS[:4]), resource="search", endpoint="search", model="", server="edge")  # fmt: skip  # noqa: E501
        return [done, live, other, unmet, failed, nothing, search]


def _sweep(sweep_id: str, at: float, limits: Sequence[int], speed: float = 1.0) -> SweepView:
    return SweepView(
        sweep_id, at, "dana", "restaurant-reviews", "llm", "practice", "", "practice single-gpu-8b",
        "practice-small", tuple(limits), None, RunStatus.FINISHED,
        "The sweep is through: 7 limits measured; use 116.", "finished", "", at + 90, Decimal("1.21"),
        points=tuple(measured(n, at + n, speed=speed) for n in limits),
    )  # fmt: skip
