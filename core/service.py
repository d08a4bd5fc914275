"""The facade: what pages, the command line and library users call. Every method is blocking and thread-safe.

The database is the only channel between a screen and an engine: reading is a snapshot from the store, steering a row
in `controls`. So a run started elsewhere is watched and steered by the same calls.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from core.base.allocation import max_concurrent
from core.base.errors import BrigadeError, RunError, UnknownError
from core.base.records import Item, Review, RunStatus
from core.base.settings import Settings
from core.base.views import (
    AttemptView,
    Bucket,
    ControlView,
    Forecast,
    GateSample,
    ItemPage,
    ItemView,
    ResultView,
    RunSnapshot,
    RunView,
    StageStats,
)
from core.base.workload import Workload
from core.base.workload_files import find_workload, list_workloads, load_workload
from core.exports import export
from core.flow import check_limit
from core.intake import ImportProgress, ImportReport, import_file
from core.launch import Launch, Launcher
from core.measures import measures
from core.pipeline.control import ACTIONS, parse_limit, parse_model
from core.runtime import Runtime
from core.samples import Samples
from core.searching import Found, search_items
from core.store import Store
from core.tuning.forecast import forecast

ENDED = (RunStatus.FINISHED, RunStatus.CANCELLED)
FROM_SETTINGS = ("llm_limit", "search_limit", "model", "window", "budget")
RESUMABLE = (RunStatus.PAUSED, RunStatus.INTERRUPTED, RunStatus.CRASHED, RunStatus.BUDGET, RunStatus.PENDING)


class Service:
    """One store, one runtime thread, and the runs that this process owns."""

    def __init__(self, settings: Settings, store: Store, env: Mapping[str, str]) -> None:
        self.settings = settings
        self.store = store
        self._env = env
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

    def workloads(self) -> tuple[Workload, ...]:
        """The workloads whose files are valid."""
        return tuple(w for w in self._load_all() if isinstance(w, Workload))

    def workload_problems(self) -> tuple[str, ...]:
        """What is wrong with the files that are not."""
        return tuple(str(w) for w in self._load_all() if not isinstance(w, Workload))

    def _load_all(self) -> Iterator[Workload | BrigadeError]:
        for path in list_workloads(self.settings.workloads).values():
            try:
                yield load_workload(path)
            except BrigadeError as error:
                yield error

    def workload(self, name: str) -> Workload:
        """A workload by its id or its file's path; UnknownError lists the known ones."""
        return find_workload(name, self.settings.workloads)

    def items(self, workload: str, **query: Any) -> ItemPage:
        """A page of the catalogue: search, filters, order, descending, limit, offset."""
        return self.store.catalogue.items(self.workload(workload).item_kind, **query)

    def item_ids(self, workload: str, *, search: str = "", filters: Mapping[str, str] | None = None) -> list[str]:
        """The ids of all items under a filter, in the catalogue's order."""
        kind = self.workload(workload).item_kind
        page = self.store.catalogue.items(kind, search=search, filters=filters or {}, limit=1_000_000)
        return [row.id for row in page.rows]

    def facets(self, workload: str, field: str) -> dict[str, int]:
        """The values of a field over the catalogue, with counts."""
        return self.store.catalogue.facets(self.workload(workload).item_kind, field)

    def ensure_samples(self, progress: Callable[[str, float], None] | None = None) -> int:
        """Register the sample items of every workload that has none; how many were added."""
        with self._importing:
            return self._samples.ensure(self.workloads(), progress)

    # Runs

    def forecast(
        self,
        workload: str,
        items: str | Sequence[str],
        *,
        llm_limit: int,
        search_limit: int,
        model: str | None = None,
    ) -> Forecast:
        """What a run would do: calls, duration and cost with a range, from the history of the same workload."""
        loaded = self.workload(workload)
        llm_limit = self._capped(loaded, check_limit(llm_limit, "llm"))
        check_limit(search_limit, "search")
        ids = self._select(loaded, items)
        sample = self.store.catalogue.item(loaded.item_kind, ids[0]) if ids else None
        history = self.store.reports.history(loaded.id)
        return forecast(loaded, len(ids), sample, history, llm_limit=llm_limit, search_limit=search_limit, model=model)

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
        llm_limit: int | None = None,
        search_limit: int | None = None,
        model: str | None = None,
        stage_models: Mapping[str, str] | None = None,
        window: int | None = None,
        budget: Decimal | None = None,
    ) -> str:
        """Check everything, write the run and launch it; its id comes back at once.

        UsageError, RunError, SearchError or ModelError say what is missing before anything is spent.
        """
        return self._launcher.start(
            self._launch(
                workload,
                items,
                who,
                llm_limit=llm_limit,
                search_limit=search_limit,
                model=model,
                stage_models=stage_models,
                window=window,
                budget=budget,
            )
        )

    def _launch(self, workload: str, items: str | Sequence[str], who: str, **wanted: Any) -> Launch:
        """A launch of what is wanted; the settings say the rest."""
        loaded = self.workload(workload)
        given = {name: value for name, value in wanted.items() if value is not None}
        chosen = {name: given.get(name, getattr(self.settings, name)) for name in FROM_SETTINGS}
        chosen["llm_limit"] = self._capped(loaded, check_limit(chosen["llm_limit"], "llm"))
        stage_models = dict(given.get("stage_models", {}))
        return Launch(loaded, tuple(self._select(loaded, items)), who, stage_models=stage_models, **chosen)

    def _capped(self, workload: Workload, llm_limit: int) -> int:
        """A limit that a workload's own most does not pass."""
        return min(llm_limit, max_concurrent(workload, self.settings) or llm_limit)

    def dry_run(self, workload: str, items: str | Sequence[str], *, stage_models: Mapping[str, str]) -> Forecast:
        """Check what a start would check, spend and write nothing; what the run would do."""
        launch = self._launch(workload, items, "", stage_models=stage_models)
        self._launcher.preflight(launch)
        return self.forecast(
            workload, launch.items, llm_limit=launch.llm_limit, search_limit=launch.search_limit, model=launch.model
        )

    def search(self, workload: str, items: str | Sequence[str], *, search_limit: int | None = None) -> Iterator[Found]:
        """The evidence of items without a run, in the items' order, part by part."""
        loaded = self.workload(workload)
        limit = check_limit(self.settings.search_limit if search_limit is None else search_limit, "search")
        ids = self._select(loaded, items)
        found = (self.store.catalogue.item(loaded.item_kind, item_id) for item_id in ids)
        known: Iterator[Item] = (item for item in found if item is not None)
        return search_items(self._runtime, self._launcher.connections, loaded, known, limit)

    def resume(
        self, run_id: str, *, who: str, retry_failed: bool = True, changes: Mapping[str, Any] | None = None
    ) -> None:
        """Go on with a run that no process owns; done nodes are not done again.

        changes: what differs from before: llm_limit, search_limit, model, stage_models, window, budget.
        """
        self._launcher.resume(self.run(run_id), who=who, retry_failed=retry_failed, changes=changes or {})

    def control(self, run_id: str, action: str, new: str = "", *, who: str, reason: str = "") -> int:
        """Send a command to the run's owner; the id of its row.

        A run without an owner is resumed here, or ended, by the same words.
        """
        run = self.run(run_id)
        old = self._checked(run, action, new)
        command = self.store.controls.send(run.id, action, new, who=who, reason=reason, old=old)
        if not run.owner_alive:
            self._without_owner(run, action, command, who)
        return command

    def _checked(self, run: RunView, action: str, new: str) -> str:
        """Refuse what cannot be obeyed; the value that the command replaces."""
        if action not in ACTIONS:
            msg = f"There is no command {action!r}; there are {', '.join(ACTIONS)}."
            raise UnknownError(msg)
        if run.status in ENDED:
            msg = f"Run {run.id} is {run.status.value}; it takes no commands any more."
            raise RunError(msg)
        if action.endswith("_limit"):
            parse_limit(new, action.removesuffix("_limit"))
            return str(getattr(run, action))
        if action == "model":
            parse_model(new)
        return run.status.value

    def _without_owner(self, run: RunView, action: str, command: int, who: str) -> None:
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

    def _id(self, run_id: str) -> str:
        """The id that `last` stands for."""
        return self.run(run_id).id if run_id == "last" else run_id

    # Reading

    def snapshot(self, run_id: str) -> RunSnapshot:
        """A run in one frozen piece; cheap enough for every second."""
        return self.store.reports.snapshot(run_id)

    def run(self, run_id: str) -> RunView:
        """A run; `last` is the newest. UnknownError names some."""
        return self.store.runs.view(run_id)

    def runs(self, *, limit: int = 50, offset: int = 0, workload: str | None = None) -> list[RunView]:
        """Runs, newest first."""
        return self.store.runs.list(limit=limit, offset=offset, workload=workload)

    def run_items(self, run_id: str, **query: Any) -> ItemPage:
        """A page of a run's items with their status: search, status, order, descending, limit, offset."""
        run = self.run(run_id)
        return self.store.catalogue.items(str(run.settings.get("item_kind", "restaurant")), run_id=run.id, **query)

    def item(self, workload: str, item_id: str) -> ItemView | None:
        """One item of the catalogue."""
        found = self.store.catalogue.item(self.workload(workload).item_kind, item_id)
        return None if found is None else ItemView(found.id, found.name, found.kind, found.fields, found.reviews)

    def results(self, run_id: str, item_id: str) -> list[ResultView]:
        """Everything one item came to."""
        return self.store.reports.results(run_id, item_id)

    def review(self, restaurant_id: str, review_id: str) -> Review | None:
        """A review with all of its text, where it was imported here."""
        return self.store.catalogue.review(restaurant_id, review_id)

    def stages(self, run_id: str) -> tuple[StageStats, ...]:
        """Counts, latencies, tokens and cost per stage and model."""
        return self.store.reports.stages(run_id)

    def buckets(self, run_id: str) -> tuple[Bucket, ...]:
        """The same over time, in slices of five seconds."""
        return self.store.reports.buckets(run_id)

    def samples(self, run_id: str) -> tuple[GateSample, ...]:
        """What the gates did over time."""
        return self.store.reports.samples(run_id)

    def timeline(self, run_id: str, item_id: str) -> list[AttemptView]:
        """One item's requests in order."""
        return self.store.reports.timeline(run_id, item_id)

    def errors(self, run_id: str, limit: int = 20) -> list[AttemptView]:
        """The last requests that failed."""
        return self.store.reports.last_errors(run_id, limit)

    def cost_by_item(self, run_id: str, limit: int = 50) -> list[tuple[str, str, Decimal]]:
        """The most expensive items: id, name, USD."""
        return self.store.reports.cost_by_item(run_id, limit)

    def controls(self, run_id: str) -> list[ControlView]:
        """The commands that a run was given."""
        return self.store.controls.list(self._id(run_id))

    def measures(self, run_id: str) -> dict[str, Any]:
        """A run's figures as one JSON object."""
        return measures(self.run(run_id), self.store.reports.measures(run_id))

    def models(self) -> list[tuple[str, str]]:
        """What the configuration offers: (model, endpoint)."""
        return [(model, e.name) for e in self.settings.endpoints for model in (e.models or ("",))]

    # In and out

    def export(self, run_id: str, fmt: str, out: IO[bytes]) -> int:
        """Write a run's results as csv or jsonl; how many rows."""
        run = self.run(run_id)
        written = set(run.settings.get("stages", {}))
        rows = (row for row in self.store.reports.iter_results(run.id) if not written or row.stage in written)
        return export(rows, fmt, out)

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
