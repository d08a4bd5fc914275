"""From the file into the catalogue: rows are checked, sorted out, counted and stored, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Protocol, TypeVar

from core.base.records import Item, Review
from core.intake.cells import BadCellError
from core.intake.csv_rows import csv_rows
from core.intake.jsonl_rows import jsonl_rows
from core.intake.keys import KeySet
from core.intake.parquet_rows import parquet_rows
from core.intake.records import ReviewRows, read_restaurant
from core.intake.report import ImportLimits, Tally
from core.intake.rows import BadRow, Broken, Row
from core.intake.shelf import Key, Shelf, key_of
from core.intake.sift import Numbered, Sieve
from core.intake.source import Source

BATCH = 500
AnyRow = Row | BadRow | Broken
T = TypeVar("T")


def read_batches(source: Source, limits: ImportLimits, needed: frozenset[str]) -> Iterator[list[AnyRow]]:
    """The file's rows in lists of at most BATCH, up to the cap on their number."""
    rows = _capped(_rows(source, limits, needed), limits.max_rows)
    while batch := list(islice(rows, BATCH)):
        yield batch


def _rows(source: Source, limits: ImportLimits, needed: frozenset[str]) -> Iterator[AnyRow]:
    if source.format == "csv":
        return csv_rows(source, limits, needed)
    if source.format == "parquet":
        return parquet_rows(source, limits, needed)
    return jsonl_rows(source, limits)


def _capped(rows: Iterator[AnyRow], most: int) -> Iterator[AnyRow]:
    yield from islice(rows, most)
    beyond = next(rows, None)
    if beyond is not None:
        yield Broken(beyond.line, f"the file has more than the {most:,} rows allowed: split it")


def _good(rows: Sequence[AnyRow], tally: Tally, read: Callable[[Row], T]) -> list[tuple[int, T]]:
    """What could be read, with its line; the other rows are counted as bad."""
    good: list[tuple[int, T]] = []
    for row in rows:
        tally.rows += 1
        if not isinstance(row, Row):
            tally.reject(row.line, row.reason)
            continue
        try:
            good.append((row.line, read(row)))
        except BadCellError as exc:
            tally.reject(row.line, str(exc))
    return good


class IndexSide(Protocol):
    """What the reader tells the index."""

    def offer(self, reviews: Sequence[Review]) -> None: ...
    def forget(self, keys: Sequence[Key]) -> None: ...
    def recover(self, restaurant_ids: Sequence[str]) -> None: ...


class ReviewReader:
    """Takes rows of reviews into the catalogue."""

    def __init__(self, shelf: Shelf, index: IndexSide, tally: Tally, limits: ImportLimits) -> None:
        self._shelf = shelf
        self._index = index
        self._tally = tally
        self._reviews = ReviewRows(limits)
        self._sieve = Sieve(shelf)
        self._met = KeySet()
        self._checked = KeySet()

    def take(self, rows: Sequence[AnyRow]) -> None:
        """Store one batch: restaurants first, so that no review is without one."""
        batch = _good(rows, self._tally, self._reviews.read)
        self._meet(batch)
        sifted = self._sieve.sift(batch)
        for line, reason in sifted.conflicts:
            self._tally.reject(line, reason)
        if sifted.changed:
            self._index.forget([key_of(review) for review in sifted.changed])
        if sifted.new or sifted.changed:
            self._shelf.put([*sifted.new, *sifted.changed])
            self._index.offer([*sifted.new, *sifted.changed])
        if sifted.unchanged:
            self._index.recover(_first_seen(self._checked, [review.restaurant_id for review in sifted.unchanged]))
        self._tally.imported += len(sifted.new) + len(sifted.changed)
        self._tally.unchanged += len(sifted.unchanged)
        self._tally.duplicates += sifted.duplicates

    def _meet(self, batch: Sequence[Numbered]) -> None:
        """Store the restaurants that are seen for the first time, under the first name the batch has for them."""
        new = set(_first_seen(self._met, [review.restaurant_id for _, review in batch]))
        names: dict[str, str] = {}
        for _, review in batch:
            item_id = review.restaurant_id
            if item_id in new and names.get(item_id, item_id) == item_id:
                names[item_id] = review.restaurant_name
        if names:
            self._shelf.put_items([Item(item_id, name) for item_id, name in names.items()])
        self._tally.restaurants = len(self._met)


class RestaurantReader:
    """Takes rows of restaurants into the catalogue; of two rows with one id the first counts."""

    def __init__(self, shelf: Shelf, tally: Tally, limits: ImportLimits) -> None:
        self._shelf = shelf
        self._tally = tally
        self._limits = limits
        self._met = KeySet()

    def take(self, rows: Sequence[AnyRow]) -> None:
        """Store one batch."""
        batch = [item for _, item in _good(rows, self._tally, lambda row: read_restaurant(row, self._limits))]
        again = self._met.add([item.id for item in batch])
        first = [item for item, known in zip(batch, again, strict=True) if not known]
        changed = [item for item in first if not self._known(item)]
        self._shelf.put_items(changed)
        self._tally.imported += len(changed)
        self._tally.unchanged += len(first) - len(changed)
        self._tally.duplicates += len(batch) - len(first)
        self._tally.restaurants = len(self._met)

    def _known(self, item: Item) -> bool:
        """Whether the catalogue has all that the row says."""
        known = self._shelf.item(item.id)
        return (
            known is not None
            and item.name in (known.name, item.id)
            and dict(known.fields) == {**known.fields, **item.fields}
        )


def _first_seen(seen: KeySet, ids: Sequence[str]) -> list[str]:
    """Those ids that the set did not have, each once; it has them now."""
    return [key for key, known in zip(ids, seen.add(ids), strict=True) if not known]
