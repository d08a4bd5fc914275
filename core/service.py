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
from typing import Any

from core.base.allocation import max_concurrent
from core.base.errors import BrigadeError, RunError, UnknownError
from core.base.records import Item, RunStatus
from core.base.settings import Settings
from core.base.views import (
    Forecast,
    RunView,
)
from core.base.workload import Workload
from core.flow import check_limit
from core.intake import ImportProgress, ImportReport, import_file
from core.launch import Launch
from core.launcher import Launcher
from core.pipeline.control import ACTIONS, parse_limit, parse_model
from core.reading import Reading
from core.runtime import Runtime
from core.samples import Samples
from core.searching import Found, search_items
from core.store import Store
from core.tuning.forecast import forecast

ENDED = (RunStatus.FINISHED, RunStatus.CANCELLED)
FROM_SETTINGS = ("llm_limit", "search_limit", "model", "window", "budget")


class Service(Reading):
    """One store, one runtime thread, and the runs that this process owns."""

    def __init__(self, settings: Settings, store: Store, env: Mapping[str, str]) -> None:
        super().__init__(settings, store)
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
