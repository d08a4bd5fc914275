"""The facade: what pages, the command line and library users call. Every method is blocking and thread-safe.

The database is the only channel between a screen and an engine: reading is a snapshot from the store, steering a row
in `controls`. So a run started elsewhere is watched and steered by the same calls. Each part of it is a file of its
own, each class resting on the one before: reading, configuring, choosing, planning, steering, sweeping, starting.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from core.base.records import Item
from core.base.settings import Settings
from core.intake import ImportProgress, ImportReport, import_file
from core.models.discovery import Discovery, WarmUp
from core.pipeline.sizing import Sizing
from core.searching import Found, search_items
from core.starting import Starting
from core.store import Store


class Service(Starting):
    """One store, one runtime thread, and the runs that this process owns."""

    def __init__(self, settings: Settings, store: Store, env: Mapping[str, str]) -> None:
        super().__init__(settings, store, env)
        store.day.limit, store.day.by_hand = settings.budget_day, self._by_hand("budget_day")

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

    def search(self, workload: str, items: str | Sequence[str], *, search_limit: int | None = None) -> Iterator[Found]:
        """The evidence of items without a run, in the items' order, part by part."""
        loaded = self.workload(workload)
        limit = Sizing("search", self.settings.search_limit if search_limit is None else search_limit).begin
        ids = self._select(loaded, items)
        found = (self.store.catalogue.item(loaded.item_kind, item_id) for item_id in ids)
        known: Iterator[Item] = (item for item in found if item is not None)
        return search_items(self._runtime, self._launcher.connections, loaded, known, limit)

    # Endpoints

    def discover(self, endpoint: str) -> Discovery:
        """What an endpoint says that it serves, asked now; its error is part of the answer."""
        return self._launcher.discover(self._named(endpoint).endpoint)

    def warm_up(self, endpoint: str, model: str) -> WarmUp:
        """Send an endpoint one tiny call: it loads a model that sleeps, and shows its pace. Paid for like any other."""
        return self._launcher.warm_up(self._named(endpoint).endpoint, model)

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
