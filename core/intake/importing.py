"""Importing a file: rows go into the catalogue, and from there into the index, side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.base.clock import SYSTEM_CLOCK, Clock
from core.base.endpoints import SearchConfig
from core.base.errors import RunError
from core.intake.crew import default_workers, hire
from core.intake.indexing import Indexer
from core.intake.reading import RestaurantReader, ReviewReader, read_batches
from core.intake.report import ImportLimits, ImportProgress, ImportReport, Tally
from core.intake.rows import Broken
from core.intake.shelf import Shelf
from core.intake.source import Source, find_source
from core.search import Index, open_index
from core.store import Store

_TELL_S = 0.1
_FEW_REVIEWS = 500
_SMALL_BYTES = 200_000
_REVIEW_COLUMNS = frozenset({"restaurant_id", "text"})
_RESTAURANT_COLUMNS = frozenset({"restaurant_id"})
_busy: set[Path] = set()
_busy_lock = threading.Lock()


def import_file(
    path: Path | str,
    *,
    store: Store,
    search: SearchConfig,
    env: Mapping[str, str],
    restaurants_only: bool = False,
    progress: Callable[[ImportProgress], None] | None = None,
    stop: threading.Event | None = None,
    workers: int | None = None,
    index: Index | None = None,
    limits: ImportLimits | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> ImportReport:
    """Import reviews (or, with `restaurants_only`, restaurants) from a CSV, JSON Lines or Parquet file.

    Blocking. It can be stopped at any time, by `stop`, Ctrl-C or a kill, and repeated: what is there already costs
    nothing, what is missing is stored and indexed, also what an earlier import left over. Bad rows are reported and
    skipped. `progress` is called about ten times a second, from this thread. `workers`: embedding processes; 0 embeds
    in this thread, None decides by how much there is to do. `index`: the index, where this process has it open.

    UsageError for a file that cannot be imported at all; StoreError and SearchError as they come, with everything that
    was read kept.
    """
    limits = limits or ImportLimits()
    source = find_source(Path(path), limits)
    watch = _Watch(source, Tally(), progress, stop, clock, clock.monotonic())
    shelf = Shelf(store, search.embedder)
    with _one_at_a_time(store):
        if restaurants_only:
            whole = _read_restaurants(source, shelf, limits, watch)
        else:
            count = _workers(source, shelf, search) if workers is None else workers
            with _open_indexer(shelf, search, env, workers=count, index=index, tally=watch.tally) as indexer:
                whole = _read_reviews(source, shelf, indexer, limits, watch) and _finish(indexer, watch)
    watch.tell("indexing", at_once=True)
    return watch.tally.report(clock.monotonic() - watch.started, stopped=not whole)


@dataclass(slots=True)
class _Watch:
    """Who looks on: whether they want it stopped, and when they were last told how far it is."""

    source: Source
    tally: Tally
    callback: Callable[[ImportProgress], None] | None
    stop: threading.Event | None
    clock: Clock
    started: float
    told: float = 0.0

    @property
    def stopped(self) -> bool:
        return self.stop is not None and self.stop.is_set()

    def tell(self, phase: str, *, at_once: bool = False) -> None:
        now = self.clock.monotonic()
        if self.callback is not None and (at_once or now - self.told >= _TELL_S):
            self.told = now
            self.callback(self.tally.progress(self.source.bytes_done, self.source.size, phase))


@contextmanager
def _one_at_a_time(store: Store) -> Iterator[None]:
    """RunError where this process is importing into the same database already."""
    path = Path(store.path).resolve()
    with _busy_lock:
        if path in _busy:
            msg = f"Another import into {path} is running in this process: wait for it, or stop it first."
            raise RunError(msg)
        _busy.add(path)
    try:
        yield
    finally:
        _busy.discard(path)


@contextmanager
def _open_indexer(
    shelf: Shelf, search: SearchConfig, env: Mapping[str, str], *, workers: int, index: Index | None, tally: Tally
) -> Iterator[Indexer]:
    """A crew and the index, which are let go at the end; an index that was given stays open."""
    with ExitStack() as stack:
        crew = stack.enter_context(closing(hire(search, env, workers)))
        if index is None:
            index = stack.enter_context(closing(open_index(search, crew.identity, env)))
        yield Indexer(shelf, index, crew, tally)
        index.flush()


def _workers(source: Source, shelf: Shelf, search: SearchConfig) -> int:
    """How many embedding processes pay: none for a few reviews, or for an embedder that costs nothing."""
    if search.embedder == "hash":
        return 0
    small = not source.packed and source.format != "parquet" and source.size < _SMALL_BYTES
    return 0 if small and len(shelf.waiting(0, _FEW_REVIEWS)) < _FEW_REVIEWS else default_workers()


def _read_restaurants(source: Source, shelf: Shelf, limits: ImportLimits, watch: _Watch) -> bool:
    """Whether the file was read to its end."""
    reader = RestaurantReader(shelf, watch.tally, limits)
    for rows in read_batches(source, limits, _RESTAURANT_COLUMNS):
        reader.take(rows)
        watch.tell("reading")
        if watch.stopped or isinstance(rows[-1], Broken):
            return False
    return True


def _read_reviews(source: Source, shelf: Shelf, indexer: Indexer, limits: ImportLimits, watch: _Watch) -> bool:
    """Whether the file was read to its end; the crew is kept busy meanwhile."""
    reader = ReviewReader(shelf, indexer, watch.tally, limits)
    whole = True
    for rows in read_batches(source, limits, _REVIEW_COLUMNS):
        reader.take(rows)
        indexer.work()
        watch.tell("reading")
        whole = not isinstance(rows[-1], Broken)
        if watch.stopped:
            return False
    return whole


def _finish(indexer: Indexer, watch: _Watch) -> bool:
    """Index what is still waiting; False where it was stopped."""
    while not watch.stopped:
        if not indexer.catch_up(_TELL_S):
            return True
        watch.tell("indexing")
    return False
