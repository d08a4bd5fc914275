"""The starting part of the service: runs, samples, repeats and sweeps of what is wanted and what the settings say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from core.again import Again
from core.base.errors import RunError, UnknownError
from core.base.records import ItemStatus
from core.base.views import Forecast
from core.launch import Launch, models_by_hand, narrowed
from core.pipeline.sizing import AUTO, STARTS, Wanted
from core.planning import WhatIf
from core.sweeping import Sweeping
from core.tuning.errors import kept
from core.tuning.sweep_order import SweepOrder

SAMPLE = 5
BOUNDS = ("llm_min", "llm_max", "search_min", "search_max")
FROM_SETTINGS = ("llm_limit", "search_limit", *BOUNDS, "slo_p95", "model", "window", "budget")


class Starting(Sweeping):
    """Checks what is wanted, makes a launch of it and hands it to this process's runtime."""

    def start(
        self,
        workload: str,
        items: str | Sequence[str],
        *,
        who: str,
        llm_limit: Wanted | None = None,
        search_limit: Wanted | None = None,
        llm_bounds: tuple[int, int] | None = None,
        search_bounds: tuple[int, int] | None = None,
        slo_p95: float | None = None,
        model: str | None = None,
        stage_models: Mapping[str, str] | None = None,
        window: int | None = None,
        budget: Decimal | None = None,
        only_stages: Sequence[str] = (),
        cache: bool = False,
    ) -> str:
        """Check everything, write the run and launch it; its id comes back at once.

        A limit is a number, or `auto` within (floor, ceiling) and, for model calls, within an SLO in seconds.
        UsageError, RunError, SearchError or ModelError say what is missing before anything is spent.
        """
        launch = self._launch(
            workload,
            items,
            who,
            llm_limit=llm_limit,
            search_limit=search_limit,
            **_bounds("llm", llm_bounds),
            **_bounds("search", search_bounds),
            slo_p95=slo_p95,
            model=model,
            stage_models=stage_models,
            window=window,
            budget=budget,
            only=tuple(only_stages) or None,
            cache=cache,
        )
        return self._launcher.start(replace(launch, forecast=kept(self._forecast_of(launch))))

    def start_sample(
        self, workload: str, items: str | Sequence[str], *, who: str, n: int = SAMPLE, **wanted: Any
    ) -> str:
        """Launch a real run over a few of the items, spread by their reviews; its id comes back at once.

        wanted: as for `start`. Once it is finished a forecast has something to go by.
        """
        loaded = self.workload(workload)
        return self.start(workload, self._spread(loaded, self._select(loaded, items), n), who=who, **wanted)

    def sample_forecast(
        self,
        workload: str,
        items: str | Sequence[str],
        *,
        who: str,
        n: int = SAMPLE,
        budget: Decimal | None = None,
        timeout_s: float | None = None,
        **wanted: Any,
    ) -> Forecast:
        """What a run over the items would do, from a real run over a few of them; waits for that to end.

        It costs what it costs, at most `budget`. wanted: as for `start`. RunError where none of them got done in time.
        """
        launch = self._launch(workload, items, who, **wanted)
        run_id = self.start_sample(workload, launch.items, who=who, n=n, budget=budget, **wanted)
        ended = self.wait(run_id, timeout_s)
        if ended.pending:
            self.stop(run_id, "The time for a sample was up.", at_once=True)
        if not ended.done:
            got = f"Sample run {run_id} got none of its {ended.selected} items done"
            msg = f"{got} ({ended.status.value}). {ended.reason}"
            raise RunError(msg)
        return self._sampled(ended, self._forecast(launch.workload, launch.items, _what(launch), (run_id,)))

    def _forecast_of(self, launch: Launch) -> Forecast:
        """What a launch is expected to come to."""
        return self._forecast(launch.workload, launch.items, _what(launch))

    def start_again(self, run_id: str, again: Again, *, who: str) -> str:
        """A new run over an earlier one's items, with its settings, that takes over what has not changed; its id.

        The earlier run stays as it is; the new one names it in settings["parent"].
        """
        return self._launcher.start(again.launch(self.run(run_id), self.store, self.settings, who))

    def rerun(self, run_id: str, item_id: str, *, stage: str | None = None, who: str) -> str:
        """Do one item of a run anew in a small run of its own, from its searches on or just one stage; its id."""
        run = self.run(run_id)
        if item_id not in self.store.runs.item_ids(run.id, list(ItemStatus)):
            msg = f"There is no item {item_id!r} in run {run.id}."
            raise UnknownError(msg)
        models = [s.id for s in self.workload(run.workload).stages if s.kind == "llm"]
        return self.start_again(run.id, Again([item_id], only=(stage,) if stage else tuple(models)), who=who)

    def _launch(self, workload: str, items: str | Sequence[str], who: str, **wanted: Any) -> Launch:
        """A launch of what is wanted; the settings say the rest."""
        loaded = self.workload(workload)
        given = {name: value for name, value in wanted.items() if value is not None}
        usual = {name: getattr(self.settings, name) for name in FROM_SETTINGS}
        usual |= {f"{resource}_limit": self.usual_limit(resource) for resource in STARTS}
        chosen = {name: given.get(name, usual[name]) for name in FROM_SETTINGS}
        if chosen["llm_limit"] != AUTO and "slo_p95" not in given and not self._by_hand("slo_p95"):
            chosen["slo_p95"] = None  # said for auto, in a file
        only = given.get("only", ())
        chosen |= {"overrides": models_by_hand(given.get("stage_models", {}), who), "only": only}
        chosen["cache"] = given.get("cache", False)
        return Launch(narrowed(loaded, only), tuple(self._select(loaded, items)), who, **chosen)

    def dry_run(self, workload: str, items: str | Sequence[str], *, stage_models: Mapping[str, str]) -> Forecast:
        """Check what a start would check, spend and write nothing; what the run would do."""
        launch = self._launch(workload, items, "", stage_models=stage_models)
        self._launcher.preflight(launch)
        return self._forecast_of(launch)

    def start_sweep(self, order: SweepOrder, *, who: str) -> str:
        """Measure the limits of one endpoint, or of the searches, with real calls; the id of the sweep and its run.

        What speaks against it is said before anything is spent: UsageError, or RunError for items, budget, a tuner.
        """
        return self._launcher.start(self._sweep_launch(order, who))


def _bounds(resource: str, bounds: tuple[int, int] | None) -> dict[str, int]:
    """Floor and ceiling by the names that a launch has for them."""
    return {} if bounds is None else {f"{resource}_min": bounds[0], f"{resource}_max": bounds[1]}


def _what(launch: Launch) -> WhatIf:
    """A launch as what a forecast is asked for."""
    models = {name.rpartition(".")[0]: o.value for name, o in launch.overrides.items() if name.endswith(".model")}
    return WhatIf(launch.llm_limit, launch.search_limit, launch.model, models, launch.window)
