"""The catalogue as an import sees it: what is stored, put and marked, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence

from core.base.records import Item, Review
from core.store import Store, text_hash

Key = tuple[str, str]
KIND = "restaurant"
_PAGE = 1000


def key_of(review: Review) -> Key:
    """What identifies a review: its restaurant's id and its own."""
    return review.restaurant_id, review.review_id


class Shelf:
    """The reviews of a store and which of them an embedder's index holds."""

    def __init__(self, store: Store, embedder: str) -> None:
        self._catalogue = store.catalogue
        self._embedder = embedder

    def stored(self, keys: Sequence[Key]) -> dict[Key, Review]:
        """Those of the reviews that are stored."""
        known = self._catalogue.review_hashes(list(dict.fromkeys(keys)))
        found = {key: self._catalogue.review(*key) for key in known}
        return {key: review for key, review in found.items() if review is not None}

    def texts(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """For each (restaurant, text hash) that is stored, the review that has it."""
        return self._catalogue.find_texts_of(pairs)

    def put(self, reviews: Sequence[Review]) -> None:
        """Store reviews; those whose record changed are no longer indexed."""
        self._catalogue.put_reviews(reviews)

    def put_items(self, items: Sequence[Item]) -> None:
        """Store restaurants, keeping the name of one that is known where the file has none."""
        self._catalogue.put_items([item for item in items if not (item.name == item.id and self.item(item.id))])

    def item(self, item_id: str) -> Item | None:
        """A stored restaurant."""
        return self._catalogue.item(KIND, item_id)

    def keys_of(self, restaurant_id: str) -> list[Key]:
        """All of a restaurant's reviews."""
        keys: list[Key] = []
        while page := self._catalogue.reviews(restaurant_id, _PAGE, len(keys)):
            keys.extend(key_of(review) for review in page)
        return keys

    def mark(self, keys: Sequence[Key]) -> None:
        """These are in the index now."""
        self._catalogue.mark_indexed(keys, self._embedder)

    def unmark(self, keys: Sequence[Key]) -> None:
        """These have to be indexed again."""
        self._catalogue.mark_indexed(keys, "")

    def waiting(self, after: int, limit: int) -> list[tuple[int, Review]]:
        """Stored reviews that are not indexed, with their row numbers, from beyond row `after`."""
        return self._catalogue.unindexed(self._embedder, after, limit)


__all__ = ["KIND", "Key", "Shelf", "key_of", "text_hash"]
