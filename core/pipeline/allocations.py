"""Which model chain a stage uses right now: the run's own overrides first, then what settings and workload say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from core.base.allocation import Allocation
from core.base.workload import Stage


class Allocations:
    """Resolves a stage for the next call; an override takes effect at once."""

    def __init__(self, resolve: Callable[[Stage], Allocation], overrides: Mapping[str, str] = {}) -> None:
        self._resolve = resolve
        self._overrides = dict(overrides)
        self._known: dict[str, Allocation] = {}

    def __repr__(self) -> str:
        return f"<Allocations {self._overrides or 'as configured'}>"

    def __call__(self, stage: Stage) -> Allocation:
        """The stage's allocation, resolved once and again after an override."""
        known = self._known.get(stage.id)
        if known is None:
            known = self._known[stage.id] = self._fresh(stage)
        return known

    def _fresh(self, stage: Stage) -> Allocation:
        allocation = self._resolve(stage)
        model = self._overrides.get(stage.id)
        return replace(allocation, model=model, source="control") if model else allocation

    def override(self, stage: str, model: str) -> None:
        """Use that model for the stage from the next call on."""
        self._overrides[stage] = model
        self._known.pop(stage, None)
