"""What a run keeps of its launch, and the launch that a resume makes of it."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from core.base.allocation import Override
from core.base.settings import Settings
from core.base.views import RunView
from core.base.workload_files import find_workload
from core.launch import Launch, models_by_hand, narrowed
from core.pipeline.allocations import Allocations
from core.pipeline.sizing import kept_sizings, sizing_again
from core.tuning.sweep_order import order_again


def kept_launch(launch: Launch, settings: Settings, allocations: Allocations) -> dict[str, Any]:
    """What a resume needs to know of a launch."""
    return {
        "item_kind": launch.workload.item_kind,
        "model": launch.model,
        "controls": {name: asdict(override) for name, override in launch.overrides.items()},
        "stages": {s.id: asdict(allocations(s)) for s in launch.workload.stages if s.kind == "llm"},
        "window": launch.window,
        "limits": kept_sizings(launch.sizings),
        "forecast": launch.forecast,
        "sweep": None if launch.sweep is None else launch.sweep.kept(),
        "budget_usd": None if launch.budget is None else str(launch.budget),
        "search": settings.search.backend,
        "parent": launch.parent,
        "only_stages": list(launch.only),
        "cache": launch.cache,
        "connections": given_connections(settings),
    }


def launch_again(run: RunView, settings: Settings, who: str) -> Launch:
    """The launch of a run that is to go on, as it was kept."""
    kept = run.settings
    controls = {name: Override(**said) for name, said in kept.get("controls", {}).items()}
    budget = kept.get("budget_usd")
    # A limit of 0: its process ended before it began.
    llm = sizing_again(kept.get("limits", {}), "llm", run.llm_limit or settings.llm_limit)
    search = sizing_again(kept.get("limits", {}), "search", run.search_limit or settings.search_limit)
    return Launch(
        workload=narrowed(find_workload(run.workload, settings.workloads), kept.get("only_stages", ())),
        items=(),
        who=who,
        llm_limit=llm.limit,
        search_limit=search.limit,
        llm_min=llm.floor,
        llm_max=llm.ceiling,
        search_min=search.floor,
        search_max=search.ceiling,
        slo_p95=llm.slo_p95_s,
        model=str(kept.get("model", settings.model)),
        overrides={**models_by_hand(kept.get("stage_models", {}), "an earlier session"), **controls},
        window=int(kept.get("window", 0)),
        forecast=kept.get("forecast"),
        sweep=order_again(run.workload, kept["sweep"]) if kept.get("sweep") else None,
        budget=None if budget is None else Decimal(str(budget)),
        parent=str(kept.get("parent", "")),
        only=tuple(kept.get("only_stages", ())),
        cache=bool(kept.get("cache", False)),
    )


def given_connections(settings: Settings) -> dict[str, str]:
    """The addresses a run was started with, so that resuming needs no options; none that carries a password."""
    search = settings.search
    given = {"llm_url": settings.llm_url, "qdrant_url": search.url, "collection": search.collection}
    return {name: value for name, value in given.items() if value and "@" not in value}
