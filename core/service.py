"""The facade: what pages, the command line and library users call. Every method is blocking and thread-safe.

The database is the only channel between a screen and an engine: reading is a snapshot from the store, steering a row
in `controls`. So a run started elsewhere is watched and steered by the same calls.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.again import Again
from core.base.allocation_keys import KEYS
from core.base.errors import BrigadeError, RunError, UnknownError
from core.base.records import Item, ItemStatus, RunStatus
from core.base.settings import Settings
from core.base.views import (
    Forecast,
    RunView,
)
from core.base.workload import Workload
from core.intake import ImportProgress, ImportReport, import_file
from core.launch import Launch, models_by_hand, narrowed
from core.launcher import Launcher
from core.models.discovery import Discovery, WarmUp
from core.pipeline.control import ACTIONS, LIMITS, keep_budget, parse_allocation, parse_budget
from core.pipeline.sizing import AUTO, STARTS, Sizing, Wanted, parse_bound, parse_wanted, sizing_again
from core.pipeline.sizing import BOUNDS as BOUND_ACTIONS
from core.planning import WhatIf
from core.runtime import Runtime
from core.samples import Samples
from core.searching import Found, search_items
from core.store import Store
from core.sweeping import Sweeping
from core.tuning.errors import kept
from core.tuning.sweep_order import SweepOrder

ENDED = (RunStatus.FINISHED, RunStatus.CANCELLED)
BOUNDS = ("llm_min", "llm_max", "search_min", "search_max")
SAMPLE = 5
FROM_SETTINGS = ("llm_limit", "search_limit", *BOUNDS, "slo_p95", "model", "window", "budget")


class Service(Sweeping):
    """One store, one runtime thread, and the runs that this process owns."""

    def __init__(self, settings: Settings, store: Store, env: Mapping[str, str]) -> None:
        super().__init__(settings, store, env)
        store.day.limit, store.day.by_hand = settings.budget_day, self._by_hand("budget_day")
        self._runtime = Runtime()
        self._launcher = Launcher(settings, store, self._runtime, env)
        self._samples = Samples(store, settings, env)
        self._importing = threading.Lock()

    def __repr__(self) -> str:
        return f"<Service {self.store.path}, {self._launcher!r}>"

    @classmethod
    def open(cls, settings: Settings, env: Mapping[str, str] = os.environ) -> Service:
        """Open the store (created and migrated when needed); no index, no server."""
        return cls(settings, Store.open(settings.db), env)

    def close(self, timeout_s: float = 30.0) -> None:
        """Let the runs of this process drain, then close everything."""
        self._launcher.close(timeout_s)
        self.store.close()

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Workloads and items

    def ensure_samples(self, progress: Callable[[str, float], None] | None = None) -> int:
        """Register the sample items of every workload that has none; how many were added."""
        with self._importing:
            return self._samples.ensure(self.workloads(), progress)

    # Runs

    def _number(self, workload: Workload, resource: str, limit: Wanted) -> int:
        """A limit as a number: of auto, what it found the last time, or what it starts with."""
        if limit != AUTO:
            return Sizing(resource, limit).begin
        for run in self.runs(workload=workload.id):
            kept = sizing_again(run.settings.get("limits", {}), resource, 1)
            if kept.auto and (found := int(getattr(run, f"{resource}_limit"))):
                return found
        return STARTS[resource]

    def selected(self, workload: str, items: str | Sequence[str]) -> list[str]:
        """The ids that a choice of items means."""
        return self._select(self.workload(workload), items)

    def _select(self, workload: Workload, items: str | Sequence[str]) -> list[str]:
        if self.store.catalogue.count(workload.item_kind) == 0:
            self.ensure_samples()
        if isinstance(items, str):
            return self.store.catalogue.select(workload.item_kind, items)
        return self._known(workload.item_kind, items)

    def _known(self, kind: str, ids: Sequence[str]) -> list[str]:
        """Ids that are told one by one mean themselves, also where they look like a count, a file or a list."""
        known = set(self.store.catalogue.select(kind, "all"))
        if unknown := [item_id for item_id in ids if item_id not in known]:
            msg = f"There is no {kind} {', '.join(map(repr, unknown[:5]))}{' (and more)' if unknown[5:] else ''}."
            raise UnknownError(msg)
        return list(dict.fromkeys(ids))

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

    def _capped(self, workload: Workload, llm_limit: int) -> int:
        """A limit that a workload's own most does not pass."""
        return min(llm_limit, self.most_in_flight(workload) or llm_limit)

    def dry_run(self, workload: str, items: str | Sequence[str], *, stage_models: Mapping[str, str]) -> Forecast:
        """Check what a start would check, spend and write nothing; what the run would do."""
        launch = self._launch(workload, items, "", stage_models=stage_models)
        self._launcher.preflight(launch)
        return self._forecast_of(launch)

    def search(self, workload: str, items: str | Sequence[str], *, search_limit: int | None = None) -> Iterator[Found]:
        """The evidence of items without a run, in the items' order, part by part."""
        loaded = self.workload(workload)
        limit = Sizing("search", self.settings.search_limit if search_limit is None else search_limit).begin
        ids = self._select(loaded, items)
        found = (self.store.catalogue.item(loaded.item_kind, item_id) for item_id in ids)
        known: Iterator[Item] = (item for item in found if item is not None)
        return search_items(self._runtime, self._launcher.connections, loaded, known, limit)

    def resume(
        self,
        run_id: str,
        *,
        who: str,
        retry_failed: bool = True,
        only_failed: bool = False,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        """Go on with a run that no process owns; done nodes are not done again.

        only_failed: leave what is pending for another time; changes: what differs from before: llm_limit,
        search_limit, model, stage_models, window, budget, only (stages).
        """
        self._launcher.resume(
            self.run(run_id), who=who, retry_failed=retry_failed, only_failed=only_failed, changes=changes or {}
        )

    def control(self, run_id: str, action: str, new: str = "", *, who: str, reason: str = "") -> int:
        """Send a command to the run's owner; the id of its row.

        A run without an owner is resumed here, or ended, by the same words.
        """
        run = self.run(run_id)
        old = self._checked(run, action, new)
        command = self.store.controls.send(run.id, action, new, who=who, reason=reason, old=old)
        if not run.owner_alive:
            self._without_owner(run, action, new, command, who)
        return command

    def _checked(self, run: RunView, action: str, new: str) -> str:
        """Refuse what cannot be obeyed; the value that the command replaces."""
        if action not in ACTIONS:
            msg = f"There is no command {action!r}; there are {', '.join(ACTIONS)}."
            raise UnknownError(msg)
        if run.status in ENDED:
            msg = f"Run {run.id} is {run.status.value}; it takes no commands any more."
            raise RunError(msg)
        if action in LIMITS:
            resource = action.removesuffix("_limit")
            parse_wanted(new, resource)
            mode = run.settings.get("limits", {}).get(resource, {}).get("mode")
            return f"auto ({getattr(run, action)})" if mode == AUTO else str(getattr(run, action))
        if action in BOUND_ACTIONS:
            resource, name, _ = parse_bound(action, new)
            return str(run.settings.get("limits", {}).get(resource, {}).get(name) or "none")
        if action in KEYS:
            parse_allocation(action, new)
        if action == "budget":
            parse_budget(new)
            return str(run.settings.get("budget_usd") or "none")
        return run.status.value

    def _without_owner(self, run: RunView, action: str, new: str, command: int, who: str) -> None:
        if action == "resume":
            self.store.controls.applied(command, "applied")  # now: the run's next session would find it out of date
            try:
                self.resume(run.id, who=who)
            except BrigadeError as error:
                self.store.controls.applied(command, f"refused: {error}")
                raise
        elif action == "cancel":
            self.store.runs.set_status(run.id, RunStatus.CANCELLED, f"Cancelled by {who}.")
            self.store.controls.applied(command, "applied")
        elif action == "budget":
            keep_budget(self.store, run.id, parse_budget(new))
            self.store.controls.applied(command, "applied")
        else:
            self.store.controls.applied(command, "refused: no process owns the run; resume it first")

    def wait(self, run_id: str, timeout: float | None = None) -> RunView:
        """Wait until a run of this process ends (or the time is up)."""
        run = self.run(run_id)
        self._launcher.wait(run.id, timeout)
        return self.run(run.id)

    def owns(self, run_id: str) -> bool:
        """Whether this process is at work on a run."""
        return self._launcher.owns(self._id(run_id))

    def stop(self, run_id: str, reason: str, *, at_once: bool = False) -> None:
        """Let a run of this process admit no more and drain, or cancel what is in flight; it becomes `interrupted`."""
        self._launcher.stop(self._id(run_id), reason, at_once=at_once)

    # Endpoints

    def discover(self, endpoint: str) -> Discovery:
        """What an endpoint says that it serves, asked now; its error is part of the answer."""
        return self._launcher.discover(self._named(endpoint).endpoint)

    def warm_up(self, endpoint: str, model: str) -> WarmUp:
        """Send an endpoint one tiny call: it loads a model that sleeps, and shows its pace. Paid for like any other."""
        return self._launcher.warm_up(self._named(endpoint).endpoint, model)

    # Sweeps

    def start_sweep(self, order: SweepOrder, *, who: str) -> str:
        """Measure the limits of one endpoint, or of the searches, with real calls; the id of the sweep and its run.

        What speaks against it is said before anything is spent: UsageError, or RunError for items, budget, a tuner.
        """
        return self._launcher.start(self._sweep_launch(order, who))

    # In and out

    def import_file(
        self,
        path: Path | str,
        *,
        progress: Callable[[ImportProgress], None] | None = None,
        restaurants_only: bool = False,
        stop: threading.Event | None = None,
    ) -> ImportReport:
        """Take in a file of reviews (CSV, JSONL, Parquet), or of restaurants only."""
        return import_file(
            Path(path),
            store=self.store,
            search=self.settings.search,
            env=self._env,
            restaurants_only=restaurants_only,
            progress=progress,
            stop=stop,
        )


def _bounds(resource: str, bounds: tuple[int, int] | None) -> dict[str, int]:
    """Floor and ceiling by the names that a launch has for them."""
    return {} if bounds is None else {f"{resource}_min": bounds[0], f"{resource}_max": bounds[1]}


def _what(launch: Launch) -> WhatIf:
    """A launch as what a forecast is asked for."""
    models = {name.rpartition(".")[0]: o.value for name, o in launch.overrides.items() if name.endswith(".model")}
    return WhatIf(launch.llm_limit, launch.search_limit, launch.model, models, launch.window)
