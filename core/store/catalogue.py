"""The catalogue: items that workloads process, and the reviews behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from core.base.records import Item, ItemStatus, Review
from core.base.views import ItemPage
from core.store import item_query, item_rows, review_rows
from core.store.connection import Readers
from core.store.selection import select
from core.store.writer import Writer

Key = tuple[str, str]
CHUNK = 5000  # rows to a transaction, so that nobody who also wants to write waits long


class Catalogue:
    """Items by (kind, id) and reviews by (restaurant, review). Writing methods return once durable."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    def __repr__(self) -> str:
        return f"<Catalogue {self._readers!r}>"

    def put_items(self, items: Sequence[Item]) -> None:
        """Add items or merge them into those of the same kind and id: new fields win, others stay."""
        for start in range(0, len(items), CHUNK):
            rows = item_rows.encode(items[start : start + CHUNK])
            self._writer.run(partial(item_rows.put, rows=rows))

    def item(self, kind: str, item_id: str) -> Item | None:
        """An item; None without one."""
        return item_rows.find(self._readers, kind, item_id)

    def items(
        self,
        kind: str = "restaurant",
        *,
        search: str = "",
        filters: Mapping[str, str] = {},
        order: str = "name",
        descending: bool = False,
        limit: int = 50,
        offset: int = 0,
        run_id: str | None = None,
        status: ItemStatus | None = None,
        flag: str | None = None,
    ) -> ItemPage:
        """A page of items. `search` is looked for in name, id and fields; a filter is a field's exact value (or one
        value of a list field); order: name, id, reviews, city, and with a run status or finished; flag, with a run:
        only items with a result that has it. UsageError names the orders and flags there are."""
        query = item_query.ItemQuery(kind, search, filters, run_id, status, flag)
        return item_query.page(self._readers, query, order, descending=descending, limit=limit, offset=offset)

    def facets(self, kind: str, field: str) -> dict[str, int]:
        """The values of a field and how many items have each, most frequent first."""
        return item_query.facets(self._readers, kind, field)

    def select(self, kind: str, spec: str) -> list[str]:
        """Item ids for `all`, a count, `id,id` or `@file` (an id or a JSON object with `id` or `restaurant_id` a line).

        UnknownError names ids that don't exist, UsageError a spec that cannot be read.
        """
        return select(self._readers, kind, spec)

    def count(self, kind: str) -> int:
        """How many items of a kind there are."""
        return int(self._readers.value("SELECT count(*) FROM items WHERE kind = ?", kind))

    def put_reviews(self, reviews: Sequence[Review], *, file_tag: str = "") -> None:
        """Add or replace reviews, add restaurants not known yet, and keep each one's number of reviews right."""
        for start in range(0, len(reviews), CHUNK):
            batch = review_rows.encode(reviews[start : start + CHUNK], file_tag)
            self._writer.run(partial(review_rows.put, batch=batch))

    def review_hashes(self, keys: Sequence[Key]) -> dict[Key, str]:
        """The SHA-256 (hex) of the stored text by (restaurant_id, review_id), for those that exist."""
        return review_rows.hashes(self._readers, keys)

    def find_texts(self, restaurant_id: str, hashes: Sequence[str]) -> dict[str, str]:
        """A review id by hash, for texts that this restaurant has already."""
        found = self.find_texts_of([(restaurant_id, text) for text in hashes])
        return {text: review_id for (_, text), review_id in found.items()}

    def find_texts_of(self, pairs: Sequence[Key]) -> dict[Key, str]:
        """The same for many restaurants at once: by (restaurant_id, hash)."""
        return review_rows.find_texts(self._readers, pairs)

    def review(self, restaurant_id: str, review_id: str) -> Review | None:
        """A review; None without one."""
        return review_rows.find(self._readers, restaurant_id, review_id)

    def reviews(self, restaurant_id: str, limit: int = 50, offset: int = 0) -> list[Review]:
        """A restaurant's reviews in the order of their import."""
        return review_rows.of(self._readers, restaurant_id, limit, offset)

    def mark_indexed(self, keys: Sequence[Key], embedder: str) -> None:
        """Remember that these (restaurant_id, review_id) are in the index of that embedder."""
        for start in range(0, len(keys), CHUNK):
            chunk = keys[start : start + CHUNK]
            self._writer.run(partial(review_rows.mark_indexed, keys=chunk, embedder=embedder))

    def unindexed(self, embedder: str, after_rowid: int = 0, limit: int = 1000) -> list[tuple[int, Review]]:
        """Reviews that are not (or no longer, their text having changed) in the index of that embedder, by rowid."""
        return review_rows.unindexed(self._readers, embedder, after_rowid, limit)
