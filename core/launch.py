"""A run to be: checked input, and what of it a resume needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from core.base.errors import ConfigError, UnknownError
from core.base.settings import Settings
from core.base.views import RunView
from core.base.workload import Workload
from core.base.workload_files import find_workload
from core.flow import check_limit
from core.pipeline.allocations import Allocations


@dataclass(frozen=True, slots=True)
class Launch:
    """A run to be: checked input, nothing written yet. model '' means: whatever the server offers first.

    ConfigError or UnknownError for what no run can be given.
    """

    workload: Workload
    items: tuple[str, ...]
    who: str
    llm_limit: int
    search_limit: int
    model: str
    stage_models: Mapping[str, str] = field(default_factory=dict)
    window: int = 0
    budget: Decimal | None = None

    def __post_init__(self) -> None:
        check_limit(self.llm_limit, "llm")
        check_limit(self.search_limit, "search")
        if self.window < 0:
            msg = f"The window is {self.window}; it must be 0 (found from the limits) or more items."
            raise ConfigError(msg)
        if self.budget is not None and not (self.budget.is_finite() and self.budget >= 0):
            msg = f"The budget is {self.budget}; it must be an amount in US dollars of 0 or more."
            raise ConfigError(msg)
        known = [stage.id for stage in self.workload.stages if stage.kind == "llm"]
        for stage in self.stage_models:
            if stage not in known:
                msg = f"There is no model stage {stage!r}; the stages are {', '.join(known)}."
                raise UnknownError(msg)

    def kept(self, settings: Settings, allocations: Allocations) -> dict[str, Any]:
        """What a resume needs to know of it."""
        return {
            "item_kind": self.workload.item_kind,
            "model": self.model,
            "stage_models": dict(self.stage_models),
            "stages": {s.id: asdict(allocations(s)) for s in self.workload.stages if s.kind == "llm"},
            "window": self.window,
            "budget_usd": None if self.budget is None else str(self.budget),
            "search": settings.search.backend,
            "connections": given_connections(settings),
        }


def launch_again(run: RunView, settings: Settings, who: str) -> Launch:
    """The launch of a run that is to go on, as it was kept."""
    kept = run.settings
    budget = kept.get("budget_usd")
    return Launch(
        workload=find_workload(run.workload, settings.workloads),
        items=(),
        who=who,
        llm_limit=run.llm_limit or settings.llm_limit,  # 0: its process ended before it began
        search_limit=run.search_limit or settings.search_limit,
        model=str(kept.get("model", settings.model)),
        stage_models=dict(kept.get("stage_models", {})),
        window=int(kept.get("window", 0)),
        budget=None if budget is None else Decimal(str(budget)),
    )


def given_connections(settings: Settings) -> dict[str, str]:
    """The addresses a run was started with, so that resuming needs no options; none that carries a password."""
    search = settings.search
    given = {"llm_url": settings.llm_url, "qdrant_url": search.url, "collection": search.collection}
    return {name: value for name, value in given.items() if value and "@" not in value}
