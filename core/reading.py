"""Reading: what a screen, a terminal or a program may know of the catalogue and of runs; it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import IO, Any

from core.base.errors import BrigadeError
from core.base.records import Review
from core.base.settings import Settings
from core.base.views import (
    AttemptView,
    Bucket,
    ControlView,
    GateSample,
    ItemPage,
    ItemView,
    LaneSample,
    LimitChangeView,
    ResultView,
    RunSnapshot,
    RunView,
    StageStats,
)
from core.base.workload import Workload
from core.base.workload_files import find_workload, list_workloads, load_workload
from core.exports import export
from core.measures import measures
from core.store import Store


class Reading:
    """The reading half of the service: frozen snapshots of one store, from any thread."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store

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
        """A page of a run's items with their status: search, status, flag, order, descending, limit, offset."""
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

    def limit_changes(self, run_id: str) -> list[LimitChangeView]:
        """Every change of a limit in order, with its reason."""
        return self.store.limit_changes.list(self._id(run_id))

    def lanes(self, run_id: str) -> tuple[LaneSample, ...]:
        """What each endpoint of a run does now, or did last."""
        return self.store.lanes.latest(self._id(run_id))

    def lane_samples(self, run_id: str, width: float | None = None) -> tuple[LaneSample, ...]:
        """What the endpoints did over time, in stretches of `width` seconds; None: at most 600 of them each."""
        return self.store.lanes.samples(self._id(run_id), width)

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

    def export(self, run_id: str, fmt: str, out: IO[bytes]) -> int:
        """Write a run's results as csv or jsonl; how many rows."""
        run = self.run(run_id)
        written = set(run.settings.get("stages", {}))
        rows = (row for row in self.store.reports.iter_results(run.id) if not written or row.stage in written)
        return export(rows, fmt, out)

    def _id(self, run_id: str) -> str:
        """The id that `last` stands for."""
        return self.run(run_id).id if run_id == "last" else run_id
