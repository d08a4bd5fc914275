"""Reviews: replaced by key, duplicates by text, what the index has."""

from __future__ import annotations

from dataclasses import replace

from core.base.records import Item, Review
from core.store import Store, text_hash

FIRST = Review("r1", "Noodle House", "v1", "국물이 진하다.", 4.5, "2025-01-01", "민지", "ko", {"visit": "lunch"})
SECOND = Review("r1", "Noodle House", "v2", "Good soup.")
OTHER = Review("r2", "Café", "v1", "Good soup.")


def reviews_of(store: Store, restaurant: str) -> int:
    item = store.catalogue.item("restaurant", restaurant)
    return item.reviews if item else -1


def test_a_review_comes_back_as_it_was(store: Store) -> None:
    """With rating, author, language and the columns nobody knows; its restaurant is in the catalogue."""
    store.catalogue.put_reviews([FIRST, SECOND, OTHER], file_tag="a.csv")
    assert store.catalogue.review("r1", "v1") == FIRST
    assert store.catalogue.review("r9", "v1") is None
    assert store.catalogue.reviews("r1", 10, 0) == [FIRST, SECOND]
    assert store.catalogue.reviews("r1", 1, 1) == [SECOND]
    assert [row.name for row in store.catalogue.items(search="noodle").rows] == ["Noodle House"]


def test_numbers_of_reviews_are_right(store: Store) -> None:
    """After adding, replacing and adding again, also for items that were there before."""
    store.catalogue.put_items([Item("r1", "Noodles", fields={"city": "Seoul"})])
    store.catalogue.put_reviews([FIRST, SECOND, OTHER])
    store.catalogue.put_reviews([FIRST])
    assert (reviews_of(store, "r1"), reviews_of(store, "r2")) == (2, 1)
    item = store.catalogue.item("restaurant", "r1")
    assert item is not None
    assert (item.name, item.fields) == ("Noodles", {"city": "Seoul"})


def test_many_at_once(store: Store) -> None:
    """Twelve thousand reviews of a hundred restaurants are all there."""
    store.catalogue.put_reviews(
        [Review(f"r{n % 100}", f"Restaurant {n % 100}", f"v{n}", f"Text {n}") for n in range(12_000)]
    )
    assert store.catalogue.count("restaurant") == 100
    assert reviews_of(store, "r99") == 120


def test_texts_are_told_apart_by_hash(store: Store) -> None:
    """The stored hash by key, and the review that has a text already, within a restaurant only."""
    store.catalogue.put_reviews([FIRST, SECOND, OTHER])
    soup = text_hash("Good soup.")
    assert store.catalogue.review_hashes([("r1", "v2"), ("r9", "v9")]) == {("r1", "v2"): soup}
    assert store.catalogue.find_texts("r1", [soup, text_hash("?")]) == {soup: "v2"}
    assert store.catalogue.find_texts_of([("r2", soup), ("r3", soup)]) == {("r2", soup): "v1"}


def test_what_is_not_indexed_yet(store: Store) -> None:
    """By rowid and page; marked reviews are left out for that embedder only."""
    store.catalogue.put_reviews([FIRST, SECOND, OTHER])
    pages = store.catalogue.unindexed("use", 0, 2)
    assert [review.review_id for _, review in pages] == ["v1", "v2"]
    assert [review for _, review in store.catalogue.unindexed("use", pages[-1][0], 2)] == [OTHER]
    store.catalogue.mark_indexed([("r1", "v1"), ("r2", "v1")], "use")
    assert [review for _, review in store.catalogue.unindexed("use", 0, 10)] == [SECOND]
    assert len(store.catalogue.unindexed("hash", 0, 10)) == 3


def test_a_changed_text_must_be_indexed_again(store: Store) -> None:
    """The same text imported again stays indexed; another one does not."""
    store.catalogue.put_reviews([FIRST, SECOND])
    store.catalogue.mark_indexed([("r1", "v1"), ("r1", "v2")], "use")
    store.catalogue.put_reviews([FIRST, replace(SECOND, text="Cold soup.")])
    assert [review.text for _, review in store.catalogue.unindexed("use", 0, 10)] == ["Cold soup."]
