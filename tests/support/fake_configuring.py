"""Endpoints and allocations of the fake service: one of each state, every change recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from core.base.errors import ConfigError
from core.base.views import AllocationView, DayView, EndpointView, StageCost
from core.models import Discovery, WarmUp

FILE = "data/brigade.toml"
WORKLOAD = "restaurant-reviews"
GPU = EndpointView("gpu-1", "openai", "http://gpu-1:8000/v1", ("qwen3-8b",), 32, None, None, FILE)
ENDPOINTS = (
    EndpointView("practice", "practice", "", ("practice-small", "practice-large"), None, None, None, FILE),
    GPU,
    replace(GPU, name="gpu-2", url="http://gpu-2:8000/v1", source="database", removed=True),
    replace(
        GPU, name="anthropic", kind="anthropic", url="https://api.anthropic.com", models=(), limit=None, rpm=50,
        tpm=40_000, key_env="ANTHROPIC_API_KEY",
    ),
    replace(GPU, name="odd", source="database", problem="Endpoint 'odd': limit = 0: must be at least 1."),
)  # fmt: skip
STAGES = ("aspect_summary", "total_summary")


class FakeConfiguring:
    """The configuring half of the fake service; expects `sent`, `scene` and `refuse` beside it."""

    sent: list[tuple[Any, ...]]
    scene: str
    refuse: str | None
    day_budget: Decimal | None = Decimal(5)
    day_by_hand = False
    settings: Any

    def settings_now(self) -> Any:
        return self.settings

    def day(self) -> DayView:
        return DayView(Decimal("1.2034"), self.day_budget, by_hand=self.day_by_hand)

    def set_day_budget(self, usd: Decimal | None, *, who: str) -> None:
        self._refused()
        self.sent.append(("day_budget", usd, who))
        self.day_budget = usd

    def stage_costs(self, run_id: str) -> tuple[StageCost, ...]:
        if run_id == "run-cards":
            return ()
        part = Decimal("0.25")
        return (StageCost("aspect_summary", "practice-small", 2 * part, part / 10, part, 400),)

    def endpoints(self) -> tuple[EndpointView, ...]:
        if self.scene == "hostile":
            return (replace(GPU, name="<img src=x>", models=("[x](javascript:alert(1))",)),)
        return ENDPOINTS[:1] if self.scene == "empty" else ENDPOINTS

    def set_endpoint(self, name: str, fields: Mapping[str, Any], *, who: str) -> None:
        self._refused()
        self.sent.append(("set_endpoint", name, dict(fields), who))

    def remove_endpoint(self, name: str, *, who: str) -> None:
        self._refused()
        self.sent.append(("remove_endpoint", name, who))

    def restore_endpoint(self, name: str, *, who: str) -> None:
        self.sent.append(("restore_endpoint", name, who))

    def discover(self, endpoint: str) -> Discovery:
        if endpoint == "anthropic":
            return Discovery((), 0.0, "anthropic answered 401: no such key. Check ANTHROPIC_API_KEY.", 401)
        return Discovery(("qwen3-8b", "qwen3-32b"), 0.042)

    def warm_up(self, endpoint: str, model: str) -> WarmUp:
        return WarmUp(model, 0.61, 0.2, 48.0)

    def allocations(self, workload: str) -> tuple[AllocationView, ...]:
        views = [AllocationView(workload, "", "max_concurrent", None, "default")]
        for stage in STAGES:
            views += [
                AllocationView(
                    workload, stage, "model", "practice-large", "database", (("practice-small", "default"),)
                ),
                AllocationView(workload, stage, "max_tokens", 160, "workload"),
                AllocationView(workload, stage, "temperature", 0.2, "environment X_TEMPERATURE", ((0.0, "default"),)),
                AllocationView(workload, stage, "fallback", ("qwen3-8b",), "database", (((), "default"),)),
                AllocationView(workload, stage, "max_concurrent", None, "default"),
            ]
        return tuple(views)

    def set_allocation(self, workload: str, stage: str, key: str, value: object | None, *, who: str) -> None:
        self._refused()
        self.sent.append(("set_allocation", workload, stage, key, value, who))

    def _refused(self) -> None:
        if self.refuse:
            raise ConfigError(self.refuse)
