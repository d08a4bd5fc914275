"""The sample data that ships with Brigade, all of it synthetic: restaurants, reviews, readings, comment cards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from core.base.item_files import read_items
from core.base.records import Item
from core.base.settings import Settings
from core.base.workload import Workload
from core.intake import ImportProgress, import_file
from core.store import Store

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
RESTAURANTS = ("restaurants_en.jsonl", "restaurants_ko.jsonl")
REVIEWS = ("reviews_en.jsonl", "reviews_ko.jsonl")
Progress = Callable[[str, float], None]


class Samples:
    """Fills an empty catalogue; what an operator imported is never touched."""

    def __init__(self, store: Store, settings: Settings, env: Mapping[str, str]) -> None:
        self._store = store
        self._settings = settings
        self._env = env

    def ensure(self, workloads: Iterable[Workload], progress: Progress | None = None) -> int:
        """Register the sample items of each workload whose kind has none yet; how many were added."""
        return sum(self._ensure_one(w, progress or _silent) for w in workloads)

    def _ensure_one(self, workload: Workload, progress: Progress) -> int:
        catalogue = self._store.catalogue
        if catalogue.count(workload.item_kind):
            return 0
        if workload.item_kind == "restaurant":
            self._restaurants(progress)
        elif workload.sample is not None:
            catalogue.put_items(list(read_items(workload.sample, workload.item_kind)))
        return catalogue.count(workload.item_kind)

    def _restaurants(self, progress: Progress) -> None:
        items: list[Item] = []
        for name in RESTAURANTS:
            items += read_items(SAMPLES / name, "restaurant")
        if self._settings.search.backend == "edge":
            for done, name in enumerate(REVIEWS):
                self._reviews(SAMPLES / name, progress, done)
        self._store.catalogue.put_items(items)

    def _reviews(self, path: Path, progress: Progress, done: int) -> None:
        """Import one file; the share told is that of all files, of which so many are done."""

        def told(at: ImportProgress) -> None:
            progress(path.stem, (done + at.bytes_done / max(1, at.bytes_total)) / len(REVIEWS))

        import_file(path, store=self._store, search=self._settings.search, env=self._env, progress=told)


def _silent(_phase: str, _share: float) -> None:
    return None
