"""Items: merging, searching, filtering, ordering, inside a run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.base.errors import UsageError
from core.base.records import Item, ItemStatus
from core.store import Store
from tests.store.kitchen import RUN, done, start_run

PLACES = [
    Item("r0", "Noodle House", fields={"city": "Seoul", "tags": ["noodles", "late"], "stars": 3}, reviews=5),
    Item("r1", "명동 칼국수", fields={"city": "Seoul", "tags": ["noodles"]}, reviews=50),
    Item("r2", "Café Ångström", fields={"city": "Busan"}, reviews=20),
    Item("r3", "100% Beef", fields={"owner": {"name": "Kim"}}),
]


@pytest.fixture
def stocked(store: Store) -> Store:
    store.catalogue.put_items(PLACES)
    return store


def ids(store: Store, **query: Any) -> list[str]:
    return [row.id for row in store.catalogue.items(**query).rows]


def test_an_item_comes_back_as_it_was(stocked: Store) -> None:
    """Name, fields and number of reviews; an unknown one is None."""
    assert stocked.catalogue.item("restaurant", "r1") == PLACES[1]
    assert stocked.catalogue.item("card", "r1") is None
    assert stocked.catalogue.count("restaurant") == 4


def test_fields_are_merged(stocked: Store) -> None:
    """A second import adds and replaces fields, keeps the others, and an empty name changes nothing."""
    stocked.catalogue.put_items([Item("r0", "", fields={"city": "Incheon", "phone": "02"})])
    item = stocked.catalogue.item("restaurant", "r0")
    assert item is not None
    assert (item.name, item.reviews) == ("Noodle House", 5)
    assert item.fields == {"city": "Incheon", "tags": ["noodles", "late"], "stars": 3, "phone": "02"}
    assert ids(stocked, search="incheon") == ["r0"]
    assert ids(stocked, search="late") == ["r0"]


def test_kinds_are_apart(stocked: Store) -> None:
    """The same id may be an item of another kind."""
    stocked.catalogue.put_items([Item("r0", "The Fool", "card")])
    assert stocked.catalogue.count("restaurant") == 4
    assert ids(stocked, kind="card") == ["r0"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [("NOODLE", ["r0", "r1"]), ("칼국수", ["r1"]), ("ÅNGSTRÖM", ["r2"]), ("r3", ["r3"]), ("kim", ["r3"]),
     ("100%", ["r3"]), ("_", []), ("city", []), ("  busan ", ["r2"])],
)  # fmt: skip
def test_search_looks_in_names_ids_and_values(stocked: Store, words: str, expected: list[str]) -> None:
    """In any script and case; wildcards are ordinary characters and names of fields are not searched."""
    assert ids(stocked, search=words, order="id") == expected


def test_filters_are_exact_values(stocked: Store) -> None:
    """Of a field or of one entry of a list; all must hold, numbers are written as text."""
    assert ids(stocked, filters={"city": "Seoul"}, order="id") == ["r0", "r1"]
    assert ids(stocked, filters={"city": "Seoul", "tags": "late"}) == ["r0"]
    assert ids(stocked, filters={"stars": "3"}) == ["r0"]
    assert ids(stocked, filters={'ci"ty': "Seoul"}, order="id") == ["r0", "r1"]
    assert ids(stocked, filters={"nothing": "Seoul"}) == []


def test_facets_count_values(stocked: Store) -> None:
    """Most frequent first, entries of lists one by one."""
    assert list(stocked.catalogue.facets("restaurant", "city").items()) == [("Seoul", 2), ("Busan", 1)]
    assert stocked.catalogue.facets("restaurant", "tags") == {"noodles": 2, "late": 1}
    assert stocked.catalogue.facets("restaurant", "nothing") == {}


@pytest.mark.parametrize(
    ("order", "expected"),
    [("name", ["r3", "r2", "r0", "r1"]), ("reviews", ["r3", "r0", "r2", "r1"]), ("city", ["r2", "r0", "r1", "r3"])],
)
def test_orders(stocked: Store, order: str, expected: list[str]) -> None:
    """By name, number of reviews or city; what has no value comes last."""
    assert ids(stocked, order=order) == expected


def test_a_page_knows_the_total(stocked: Store) -> None:
    """Limit and offset cut the rows, not the count."""
    page = stocked.catalogue.items(order="id", descending=True, limit=2, offset=1)
    assert ([row.id for row in page.rows], page.total) == (["r2", "r1"], 4)


def test_an_order_that_does_not_exist_is_refused(stocked: Store) -> None:
    """Nothing from outside reaches the ORDER BY; the message lists what does."""
    with pytest.raises(UsageError, match="name, id, reviews, city"):
        stocked.catalogue.items(order="name; DROP TABLE items")
    with pytest.raises(UsageError, match="cannot be ordered by 'status' here"):
        stocked.catalogue.items(order="status")


def test_inside_a_run_items_have_a_status(stocked: Store) -> None:
    """Only the run's items, with state and time; to be filtered and ordered by them."""
    start_run(stocked, items=3)
    asyncio.run(stocked.ledger.save((), done("r2", ItemStatus.FAILED, 1.0)))
    asyncio.run(stocked.ledger.save((), done("r0", ItemStatus.DONE, 3.0)))
    page = stocked.catalogue.items(run_id=RUN, order="finished")
    assert [(row.id, row.status, row.finished_s) for row in page.rows] == [
        ("r2", ItemStatus.FAILED, 1.0), ("r0", ItemStatus.DONE, 3.0), ("r1", ItemStatus.PENDING, None),
    ]  # fmt: skip
    assert ids(stocked, run_id=RUN, status=ItemStatus.PENDING) == ["r1"]
    assert ids(stocked, run_id=RUN, search="noodle", order="id") == ["r0", "r1"]
    assert ids(stocked, run_id=RUN, order="position") == ["r0", "r1", "r2"]
