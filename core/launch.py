"""A run to be: checked input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from core.base.allocation import Override, Overrides
from core.base.errors import ConfigError, UnknownError
from core.base.workload import Workload
from core.models.room import check_room
from core.pipeline.reuse import Reuse, only_stages
from core.pipeline.sizing import AUTO, CEILING, Sizing, Wanted
from core.tuning.sweep_order import SweepOrder


@dataclass(frozen=True, slots=True)
class Launch:
    """A run to be: checked input, nothing written yet. model '' means: whatever the server offers first; overrides
    are what operators gave single stages by hand, by `stage.key`; forecast: what it is expected to come to; sweep: what
    its limit is to go through instead of being sized.

    parent: the earlier run from which nodes are taken over; only: the stages to do, with what they need (all: ());
    cache: whether answers of earlier runs are used and this run's are kept.

    ConfigError or UnknownError for what no run can be given.
    """

    workload: Workload
    items: tuple[str, ...]
    who: str
    llm_limit: Wanted
    search_limit: Wanted
    model: str
    overrides: Overrides = field(default_factory=dict)
    window: int = 0
    budget: Decimal | None = None
    llm_min: int = 1
    llm_max: int = CEILING
    search_min: int = 1
    search_max: int = CEILING
    slo_p95: float | None = None
    forecast: Mapping[str, Any] | None = None
    sweep: SweepOrder | None = None
    parent: str = ""
    only: tuple[str, ...] = ()
    cache: bool = False

    def __post_init__(self) -> None:
        for sizing in self.sizings.values():
            check_room(sizing.resource, sizing.most)
        if self.window < 0:
            msg = f"The window is {self.window}; it must be 0 (found from the limits) or more items."
            raise ConfigError(msg)
        if self.budget is not None and not (self.budget.is_finite() and self.budget >= 0):
            msg = f"The budget is {self.budget}; it must be an amount in US dollars of 0 or more."
            raise ConfigError(msg)
        self._check_stages()

    def _check_stages(self) -> None:
        known = [stage.id for stage in self.workload.stages if stage.kind == "llm"]
        for name in self.overrides:
            stage = name.rpartition(".")[0]
            if stage not in known:
                msg = f"There is no model stage {stage!r}; the stages are {', '.join(known)}."
                raise UnknownError(msg)

    @property
    def sizings(self) -> dict[str, Sizing]:
        """How many calls may be in flight, by resource."""
        llm = Sizing("llm", self.llm_limit, self.llm_min, self.llm_max, self.slo_p95)
        return {"search": Sizing("search", self.search_limit, self.search_min, self.search_max), "llm": llm}

    @property
    def reuse(self) -> Reuse | None:
        """What is taken over from the parent; None without one."""
        return Reuse(self.parent, frozenset(self.only)) if self.parent else None

    def changed(self, changes: Mapping[str, Any]) -> Launch:
        """The same with other values; `stage_models` are the models of single stages."""
        rest = dict(changes)
        if rest.get("llm_limit", AUTO) != AUTO:
            rest.setdefault("slo_p95", None)
        given = models_by_hand(rest.pop("stage_models", {}), self.who)
        new = replace(self, overrides={**self.overrides, **given}, **rest)
        return replace(new, workload=narrowed(new.workload, new.only))


def models_by_hand(models: Mapping[str, str], who: str) -> Overrides:
    """The models of single stages as what an operator gave by hand."""
    return {f"{stage}.model": Override(model, who) for stage, model in models.items()}


def narrowed(workload: Workload, only: Sequence[str]) -> Workload:
    """The workload, or as much of it as some stages need."""
    return only_stages(workload, only) if only else workload
