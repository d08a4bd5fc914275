"""Planning: what a run would do, which settings keep a wish, what held a run back, and what its changes did.

Everything rests on what earlier calls were measured to take; nothing is sent. Blocking and thread-safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from core.base.allocation import allocation
from core.base.endpoints import EndpointConfig
from core.base.errors import UnknownError
from core.base.records import Item
from core.base.tuning_views import (
    Attribution,
    ChangeEffect,
    ConstraintSlice,
    Followed,
    ForecastError,
    Plan,
    Scale,
    TimeSaved,
)
from core.base.views import Caveat, Forecast, RunView, StageHistory
from core.base.workload import Workload
from core.choosing import Choosing
from core.pipeline.sizing import AUTO, STARTS, Sizing, Wanted, sizing_again
from core.tuning.attribution import Scene, attribute
from core.tuning.choices import Models, Wish, plan_for
from core.tuning.effects import effects
from core.tuning.errors import forecast_error
from core.tuning.forecast import forecast
from core.tuning.proposal import Proposal
from core.tuning.saved import time_saved
from core.tuning.scale import Ask, scale

Items = str | int | Sequence[str]
SAMPLE = 50
CANDIDATES = 200
SETTLE_S = 2.0


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What a what-if is about; None means what the settings say; a limit may be `auto`. copies: so many of each of
    today's servers."""

    llm_limit: int | str | None = None
    search_limit: int | str | None = None
    model: str | None = None
    stage_models: Mapping[str, str] | None = None
    window: int = 0
    copies: int = 1


class Planning(Choosing):
    """The part of the service that looks ahead, and back at what came of it."""

    def forecast(self, workload: str, items: Items, **wanted: Any) -> Forecast:
        """What a run would do, with a range: calls, duration, cost. items: a selection, ids, or any whole number.

        wanted: see `WhatIf`. A number of items may be larger than the catalogue.
        """
        return self._forecast(self.workload(workload), items, WhatIf(**wanted))

    what_if = forecast

    def _forecast(self, workload: Workload, items: Items, asked: WhatIf, runs: Sequence[str] = ()) -> Forecast:
        """The forecast from these runs, else from the workload's history."""
        proposal = self._proposal(workload, items, asked)
        told = forecast(proposal, self.store.reports.history_of(runs) if runs else self._history(workload))
        if self._asked("llm_limit", asked) != AUTO:
            return told
        return replace(told, caveats=(*told.caveats, Caveat("auto_limit", {"limit": proposal.llm_limit})))

    def _spread(self, workload: Workload, ids: Sequence[str], n: int) -> list[str]:
        """So many of the items, from those with few reviews to those with many."""
        some = dict.fromkeys(ids[k * len(ids) // min(CANDIDATES, len(ids))] for k in range(min(CANDIDATES, len(ids))))
        found = [item for i in some if (item := self.store.catalogue.item(workload.item_kind, i)) is not None]
        found.sort(key=lambda item: item.reviews)
        count = min(n, len(found))
        return [found[(2 * k + 1) * len(found) // (2 * count)].id for k in range(count)]

    @staticmethod
    def _sampled(run: RunView, told: Forecast) -> Forecast:
        """A forecast that rests on a run made for it."""
        if told.basis == "none":
            return told
        caveat = Caveat("sampled", {"run_id": run.id, "items": run.done, "cost": run.cost_usd})
        return replace(told, basis="sample", caveats=(caveat, *told.caveats))

    def plan_for(
        self,
        workload: str,
        items: Items,
        *,
        deadline_s: float | None = None,
        budget: Decimal | None = None,
        llm_limits: Iterable[int] = (),
        models: Iterable[Models] = (),
        **wanted: Any,
    ) -> Plan:
        """Which limits and models keep a deadline and a budget; the candidates are found where none are given."""
        loaded = self.workload(workload)
        proposal = self._proposal(loaded, items, WhatIf(**wanted))
        most = self.most_in_flight(loaded)
        wish = Wish(deadline_s, budget)
        return plan_for(proposal, self._history(loaded), wish, llm_limits=llm_limits, models=models, most=most)

    def scale(
        self,
        workload: str,
        items: int,
        *,
        gpus: int | None = None,
        days: float | None = None,
        usd_per_gpu_hour: Decimal | None = None,
        llm_limit: int = 0,
        **wanted: Any,
    ) -> Scale | None:
        """How many servers, days and dollars so many items take; None where the workload has not run yet.

        Say gpus or days; llm_limit 0 finds the limit. UsageError where both or neither are given.
        """
        loaded = self.workload(workload)
        proposal = self._proposal(loaded, items, WhatIf(**wanted))
        ask = Ask(gpus, days, usd_per_gpu_hour)
        return scale(replace(proposal, llm_limit=llm_limit, caps={}), self._history(loaded), ask)

    def forecast_errors(self, workload: str, limit: int = 50) -> list[ForecastError]:
        """The workload's finished runs against the forecasts that they were started with, newest first."""
        runs = self.runs(limit=limit, workload=self.workload(workload).id)
        found = (forecast_error(run, self.store.reports.changes(run.id)) for run in runs)
        return [error for error in found if error is not None]

    def attribution(self, run_id: str, last_s: float | None = None) -> Attribution:
        """What held a run back, over all of it or its last seconds, and what to do about it."""
        run = self.run(run_id)
        since = 0.0 if last_s is None else max(0.0, run.wall_s - last_s)
        watched, shares = self.store.reports.waited(run.id, since)
        return attribute(shares, watched, self._scene(run))

    def constraints(self, run_id: str, width_s: float = 5.0) -> tuple[ConstraintSlice, ...]:
        """What a run waited for over time."""
        return self.store.reports.constraints(run_id, width_s)

    def effects(self, run_id: str) -> tuple[ChangeEffect, ...]:
        """Every change of a limit in a run with what it did, in order."""
        run, reports = self.run(run_id), self.store.reports
        latencies = [stage.p95_s for stage in reports.stages(run.id) if stage.p95_s]
        settle_s = max([SETTLE_S, *latencies])
        end_s = (run.ended_at - run.started_at) if run.ended_at and run.started_at else run.wall_s
        return effects(reports.changes(run.id), lambda *span: reports.window(run.id, *span), end_s, settle_s)

    def followed(self, run_id: str) -> tuple[Followed, ...]:
        """The changes that people made: what the calls before each gave reason to expect, and what was measured."""
        run = self.run(run_id)
        return tuple(self._followed(run, e) for e in self.effects(run.id) if e.who != AUTO and not e.endpoint)

    def _followed(self, run: RunView, effect: ChangeEffect) -> Followed:
        at = (run.started_at or run.created_at) + effect.t
        scene = self._scene(run, until=at)
        name = f"{effect.resource}_limit"
        old: dict[str, Any] = {name: effect.old}
        before = replace(scene, proposal=replace(scene.proposal, **old))
        return Followed(effect, before.gain(**{name: effect.new}), effect.gain)

    def time_saved(self, run_id: str) -> TimeSaved:
        """What running side by side saved against one call after the other."""
        run, reports = self.run(run_id), self.store.reports
        counted = reports.measures(run.id)
        wall_s = run.wall_s if run.ended_at is None else float(run.measures.get("wall_s", run.wall_s))
        mean, items = reports.gate_means(run.id), run.selected - run.pending
        return time_saved(wall_s, counted["service_s"], reports.item_work(run.id), items, mean, counted["peak"])

    def _scene(self, run: RunView, until: float = float("inf")) -> Scene:
        """A run with its own calls, as far as they were sent before `until` (wall seconds)."""
        loaded = self.workload(run.workload)
        stages: Mapping[str, Mapping[str, object]] = run.settings.get("stages", {})
        models = {stage: str(kept.get("model") or "") for stage, kept in stages.items()}
        wanted = WhatIf(max(1, run.llm_limit), max(1, run.search_limit), stage_models=models)
        ids = [row.id for row in self.run_items(run.id, limit=SAMPLE).rows]
        proposal = replace(self._proposal(loaded, ids, wanted), items=run.selected)
        done = run.selected - run.pending
        rate = done / run.wall_s if run.wall_s else 0.0
        return Scene(proposal, self.store.reports.history_of([run.id], until), rate)

    def _proposal(self, workload: Workload, items: Items, wanted: WhatIf) -> Proposal:
        count, sample = self._sample(workload, items)
        layers = replace(self._layers(workload), model=wanted.model)
        given = {s.id: allocation(layers, s) for s in workload.stages if s.kind == "llm"}
        asked = wanted.stage_models or {}
        models = {stage: asked.get(stage) or found.model for stage, found in given.items()}
        llm_limit = self._number(workload, "llm", self._asked("llm_limit", wanted))
        return Proposal(
            workload=workload,
            items=count,
            sample=sample,
            llm_limit=min(llm_limit, self.most_in_flight(workload) or llm_limit),
            search_limit=self._number(workload, "search", self._asked("search_limit", wanted)),
            models=models,
            servers={model: self._servers(model, wanted.copies) for model in set(models.values()) if model},
            caps={stage: found.max_concurrent for stage, found in given.items() if found.max_concurrent},
            window=wanted.window,
        )

    def _asked(self, name: str, wanted: WhatIf) -> int | str:
        """What is wanted of a limit, else what the settings say: a number or `auto`."""
        limit: int | str | None = getattr(wanted, name)
        return getattr(self.settings, name) if limit is None else limit

    def _number(self, workload: Workload, resource: str, limit: Wanted) -> int:
        """A limit as a number: of auto, what it found the last time, or what it starts with."""
        if limit != AUTO:
            return Sizing(resource, limit).begin
        for run in self.runs(workload=workload.id):
            kept = sizing_again(run.settings.get("limits", {}), resource, 1)
            if kept.auto and (found := int(getattr(run, f"{resource}_limit"))):
                return found
        return STARTS[resource]

    def _servers(self, model: str, copies: int) -> tuple[EndpointConfig, ...]:
        """Where a model is served, each endpoint so many times; none where nobody serves it now."""
        try:
            found = self.settings_now().endpoints_for(model)
        except UnknownError:
            return ()
        more = [replace(e, name=f"{e.name} ({n})") for n in range(2, copies + 1) for e in found]
        return (*found, *more)

    def _history(self, workload: Workload) -> list[StageHistory]:
        return self.store.reports.history(workload.id)

    def _sample(self, workload: Workload, items: Items) -> tuple[int, list[Item]]:
        """How many items, and some of them, evenly spread; of a plain number some of the catalogue."""
        ids = self._select(workload, "all" if isinstance(items, int) else items)
        some = [ids[n * len(ids) // min(SAMPLE, len(ids))] for n in range(min(SAMPLE, len(ids)))]
        found = [self.store.catalogue.item(workload.item_kind, item_id) for item_id in some]
        return items if isinstance(items, int) else len(ids), [item for item in found if item is not None]
