"""Items of a run are found by the flags of their results, without a walk over all results."""

from __future__ import annotations

import asyncio

import pytest

from core.base.errors import UsageError
from core.base.records import ItemStatus
from core.store import Store, item_query
from core.store.item_query import FLAGS
from tests.store.kitchen import RUN, add_items, done, start_run, text


@pytest.fixture
def flagged(store: Store) -> Store:
    """Three restaurants done, the second with a text of a fallback model that was cut, too."""
    add_items(store)
    start_run(store)
    for item in ("r0", "r1", "r2"):
        flags = ("uncited", "fallback", "truncated") if item == "r1" else ("uncited",)
        asyncio.run(store.ledger.save([text(item, flags=flags)], done(item, ItemStatus.DONE)))
    return store


@pytest.mark.parametrize("flag", FLAGS)
def test_only_items_with_the_flag_are_found_and_counted(flagged: Store, flag: str) -> None:
    page = flagged.catalogue.items(run_id=RUN, flag=flag)
    assert ([row.id for row in page.rows], page.total) == (["r1"], 1)
    assert flagged.catalogue.items(run_id=RUN, flag=flag, status=ItemStatus.FAILED).total == 0


def test_flags_of_another_run_do_not_count(flagged: Store) -> None:
    start_run(flagged, run_id="run-2")
    assert flagged.catalogue.items(run_id="run-2", flag="fallback").total == 0


def test_other_flags_are_no_way_to_look(flagged: Store) -> None:
    with pytest.raises(UsageError, match="choose one of fallback, truncated"):
        flagged.catalogue.items(run_id=RUN, flag="' OR 1")


@pytest.mark.parametrize("flag", FLAGS)
def test_the_flag_has_an_index(flagged: Store, flag: str) -> None:
    where, values = item_query.ItemQuery("restaurant", run_id=RUN, flag=flag).conditions()
    sql = f"EXPLAIN QUERY PLAN SELECT r.item_id FROM run_items AS r JOIN items AS i ON i.id = r.item_id WHERE {where}"
    plan = [row["detail"] for row in flagged._readers.all(sql, *values)]
    assert any(f"results_{flag}" in step for step in plan), plan
