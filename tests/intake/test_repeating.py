"""Importing again: what is there costs nothing, what changed is replaced, what is doubled is counted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from core.base.endpoints import SearchConfig
from core.base.records import Review
from core.intake import crew, import_file
from core.search import Embedder, Prepared, prepare
from core.store import Store
from tests.intake.conftest import Run
from tests.intake.files import indexed, jsonl, review, texts


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the reviews that were embedded, in order."""
    ids: list[str] = []

    def recording(reviews: list[Review], embedder: Embedder, *, whole_reviews: bool = False) -> list[Prepared]:
        ids.extend(review.review_id for review in reviews)
        return prepare(reviews, embedder, whole_reviews=whole_reviews)

    monkeypatch.setattr(crew, "prepare", recording)
    return ids


def test_an_unchanged_file_costs_nothing(tmp_path: Path, run: Run, prepared: list[str], search: SearchConfig) -> None:
    """The second import of a file stores, embeds and indexes nothing."""
    path = jsonl(tmp_path / "a.jsonl", [review(n) for n in range(20)])
    first = run(path)
    prepared.clear()
    second = run(path)
    assert (second.imported, second.unchanged, second.duplicates, second.sentences) == (0, 20, 0, 0)
    assert not prepared
    assert indexed(search) == first.sentences


def test_only_what_changed_is_embedded(
    tmp_path: Path, run: Run, prepared: list[str], search: SearchConfig, store: Store
) -> None:
    """A changed text is embedded again and its old sentences leave the index; its neighbours are not touched."""
    path = tmp_path / "a.jsonl"
    before = run(jsonl(path, [review(1), review(2), review(3)]))
    prepared.clear()
    after = run(jsonl(path, [review(1), review(2, text="Closed."), review(3)]))
    assert prepared == ["v2"]
    assert (after.imported, after.unchanged, after.sentences) == (1, 2, 1)
    assert texts(store)["v2"] == "Closed."
    assert indexed(search) == before.sentences - 1


def test_another_rating_is_a_change(tmp_path: Path, run: Run, prepared: list[str], store: Store) -> None:
    """A change of another column reaches the catalogue and the index, which shows it beside the text."""
    path = tmp_path / "a.jsonl"
    run(jsonl(path, [review(1)]))
    prepared.clear()
    assert run(jsonl(path, [review(1, rating=1)])).imported == 1
    stored = store.catalogue.review("r1", "v1")
    assert stored is not None
    assert stored.rating == 1
    assert prepared == ["v1"]


def test_an_id_twice_counts_once(tmp_path: Path, run: Run, store: Store) -> None:
    """Of two rows with one id the first counts: the same again is a duplicate, another content is reported."""
    rows = [review(1), review(1), review(1, text="Something else."), review(2)]
    path = jsonl(tmp_path / "a.jsonl", rows)
    for imported in (2, 0):
        report = run(path)
        assert (report.imported, report.unchanged, report.duplicates) == (imported, 2 - imported, 1)
        assert report.bad[0][0] == 3
        assert "earlier line" in report.bad[0][1]
        assert texts(store)["v1"] == review(1)["text"]


def test_an_id_twice_far_apart_counts_once(tmp_path: Path, run: Run) -> None:
    """The same holds when the rows are in different batches."""
    rows = [review(n) for n in range(1200)]
    report = run(jsonl(tmp_path / "a.jsonl", [*rows, rows[0], review(1, text="Something else.")]))
    assert (report.imported, report.duplicates, report.bad_count) == (1200, 1, 1)


def test_one_id_in_two_restaurants_is_two_reviews(tmp_path: Path, run: Run) -> None:
    """A review's id is its restaurant's: another restaurant may use it too."""
    assert run(jsonl(tmp_path / "a.jsonl", [review(1), review(1, restaurant=2)])).imported == 2


def test_a_text_twice_in_a_restaurant_is_indexed_once(tmp_path: Path, run: Run, search: SearchConfig) -> None:
    """The same text under another id of the same restaurant is a duplicate, in a file and across files."""
    text = "Soup."
    path = jsonl(tmp_path / "a.jsonl", [review(1, text=text), review(2, text=f" {text}\x00"), review(3, 2, text=text)])
    for imported in (2, 0):
        report = run(path)
        assert (report.imported, report.duplicates) == (imported, 1)
    assert run(jsonl(tmp_path / "b.jsonl", [review(9, text=text)])).duplicates == 1
    assert indexed(search, "r1") == 1


def test_a_text_that_moved_on_is_free_again(tmp_path: Path, run: Run, store: Store) -> None:
    """When a review changes, its old text may come back under another id in the same file."""
    run(jsonl(tmp_path / "a.jsonl", [review(1, text="Soup.")]))
    report = run(jsonl(tmp_path / "a.jsonl", [review(1, text="Cake."), review(2, text="Soup.")]))
    assert (report.imported, report.duplicates) == (2, 0)
    assert texts(store) == {"v1": "Cake.", "v2": "Soup."}


def test_a_deleted_index_is_filled_again(tmp_path: Path, run: Run, search: SearchConfig) -> None:
    """Importing a file after its index was deleted indexes it again."""
    path = jsonl(tmp_path / "a.jsonl", [review(n) for n in range(9)])
    first = run(path)
    shutil.rmtree(search.path)
    second = run(path)
    assert (second.unchanged, second.sentences) == (9, first.sentences)
    assert indexed(search) == first.sentences


def test_another_embedder_indexes_everything_again(
    tmp_path: Path, run: Run, store: Store, search: SearchConfig
) -> None:
    """With another embedder (and its own index) all stored reviews are indexed, also those not in the file."""
    run(jsonl(tmp_path / "a.jsonl", [review(n) for n in range(9)]))
    store.catalogue.mark_indexed([("r1", f"v{n}") for n in range(9)], "another")
    report = run(jsonl(tmp_path / "b.jsonl", [review(20, restaurant=2)]))
    assert (report.imported, report.sentences) == (1, 20)
    assert not store.catalogue.unindexed("hash", 0, 10)


def test_an_open_index_stays_open(tmp_path: Path, store: Store, search: SearchConfig) -> None:
    """An index handed over by the caller is used and left open."""
    from core.search import load_embedder, open_index

    index = open_index(search, load_embedder("hash", {}), {})
    path = jsonl(tmp_path / "a.jsonl", [review(1)])
    report = import_file(path, store=store, search=search, env={}, index=index)
    assert index.count("r1") == report.sentences
    index.close()


def test_names_follow_the_newest_file(tmp_path: Path, run: Run, store: Store) -> None:
    """A restaurant takes the name of the newest file that has one; a file without names changes none."""

    def name() -> str:
        item = store.catalogue.item("restaurant", "r1")
        assert item is not None
        return item.name

    run(jsonl(tmp_path / "a.jsonl", [review(1)]))
    nameless: dict[str, Any] = review(2)
    del nameless["restaurant_name"]
    run(jsonl(tmp_path / "b.jsonl", [nameless]))
    assert name() == "Place 1"
    run(jsonl(tmp_path / "c.jsonl", [review(3, restaurant_name="Place One")]))
    assert name() == "Place One"
    item = store.catalogue.item("restaurant", "r1")
    assert item is not None
    assert item.reviews == 3


def test_restaurants_only_registers_items(tmp_path: Path, run: Run, store: Store, search: SearchConfig) -> None:
    """Rows of restaurants become items with their columns as fields; nothing is indexed, bad rows are reported."""
    rows = [
        {"restaurant_id": "r1", "restaurant_name": "Place 1", "city": "서울", "rating": "no number"},
        {"restaurant_id": "r2", "restaurant_name": "Place 2", "city": "Busan"},
        {"restaurant_id": "r2", "restaurant_name": "Place 2", "city": "Busan"},
        {"restaurant_name": "Nowhere"},
    ]
    path = jsonl(tmp_path / "a.jsonl", rows)
    report = run(path, restaurants_only=True)
    assert (report.imported, report.duplicates, report.restaurants, report.sentences) == (2, 1, 2, 0)
    assert report.bad == ((4, "restaurant_id is missing"),)
    item = store.catalogue.item("restaurant", "r1")
    assert item is not None
    assert dict(item.fields) == {"city": "서울", "rating": "no number"}
    assert not search.path.exists()
    again = run(path, restaurants_only=True)
    assert (again.imported, again.unchanged) == (0, 2)


def test_restaurants_of_a_csv_need_no_text(tmp_path: Path, run: Run) -> None:
    """A CSV of restaurants needs the restaurant's id only; a CSV of reviews needs texts."""
    path = tmp_path / "a.csv"
    path.write_text("restaurant_id,city\nr1,Seoul\n")
    assert run(path, restaurants_only=True).imported == 1
