"""What the fake service tells of limits: changes with their effects, endpoints at work, what held a run back."""

from __future__ import annotations

from decimal import Decimal

from core.base.tuning_views import (
    Attribution,
    ChangeEffect,
    ConstraintSlice,
    Followed,
    Share,
    Suggestion,
    TimeSaved,
    Window,
)
from core.base.views import LaneSample, LimitChangeView

STEPS = (
    (4.0, 16, 16, "auto begins with 16", "start"),
    (22.0, 16, 64, "16 -> 64 while each doubling gains more than 75 %", "ramp"),
    (61.0, 64, 128, "64 -> 128 gained 3 % per doubling (< 7 %): stopped", "ramp"),
    (75.0, 128, 88, "the smallest limit with 95 % of the best throughput is 88", "hold"),
)
UNTOLD = ("run-cards", "run-paused")


class FakeTuning:
    """The looking-back half of the fake service."""

    hostile: bool

    def limit_changes(self, run_id: str) -> list[LimitChangeView]:
        if run_id in UNTOLD:
            return []
        found = [
            LimitChangeView(run_id, t, t, "llm", self._name(), old, new, reason, phase, "auto")
            for t, old, new, reason, phase in STEPS
        ]
        return [*found, LimitChangeView(run_id, 140.0, 140.0, "search", "", 8, 4, "Qdrant is busy", "fixed", "dana")]

    def _name(self) -> str:
        return "<b>gpu</b> [x](javascript:alert(1))" if self.hostile else "gpu-1"

    def lanes(self, run_id: str) -> tuple[LaneSample, ...]:
        return (
            LaneSample(9.0, self._name(), 88, 86, 12, 1.9, "closed", 0.0, 0, 40),
            LaneSample(9.0, "gpu-2", 16, 0, 0, 0.0, "open", 0.0, 0, 0),
            LaneSample(9.0, "api", 8, 8, 3, 2.4, "closed", 4.5, 2, 9),
        )

    def effects(self, run_id: str) -> tuple[ChangeEffect, ...]:
        before = Window(0.0, 20.0, 8.0, 480.0, 2.0, 1.6, 2.0, 0, Decimal("0.0076"))
        after = Window(24.0, 44.0, 19.0, 1140.0, 4.8, 1.7, 2.4, 1, Decimal("0.0076"))
        return tuple(
            ChangeEffect(
                c.t, c.resource, c.endpoint, c.old, c.new, c.reason, c.phase, c.who,
                *((before, after, 1.375) if c.phase == "ramp" else (None, None, None)),
            )
            for c in self.limit_changes(run_id)
        )  # fmt: skip

    def followed(self, run_id: str) -> tuple[Followed, ...]:
        return tuple(Followed(e, 0.4, 0.36) for e in self.effects(run_id) if e.who != "auto")

    def attribution(self, run_id: str, last_s: float | None = None) -> Attribution:
        if run_id in UNTOLD:
            return Attribution((), 0.0, "not_measured", {}, None)
        shares = (Share("llm", "", 0.81), Share("rate", self._name(), 0.1), Share("search", "", 0.02))
        advice = Suggestion("raise_limit", {"resource": "llm", "old": 16, "new": 32}, 0.62, "simulation", (0.1, 0.9))
        values = {"resource": "llm", "name": "", "share": 0.81, "limit": 16}
        return Attribution(shares, 120.0, "gate_full", values, advice)

    def constraints(self, run_id: str, width_s: float = 5.0) -> tuple[ConstraintSlice, ...]:
        slices = [ConstraintSlice(width_s * i, width_s, "llm", "", 0.7 + 0.02 * (i % 9)) for i in range(24)]
        return (*slices, *(ConstraintSlice(width_s * i, width_s, "rate", self._name(), 0.1) for i in range(6, 12)))

    def time_saved(self, run_id: str) -> TimeSaved:
        return TimeSaved(
            120.0, (1700.0, 1750.0, 1800.0), (1580.0, 1630.0, 1680.0), 14.6, (5.0, 7.0, 9.5),
            {"search": 1.2, "llm": 14.1}, {"search": 8, "llm": 16},
        )  # fmt: skip
