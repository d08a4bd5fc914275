"""The order at a gate: oldest item first, and at the end of a run what others wait for, unless it is a measurement."""

from __future__ import annotations

import asyncio

import pytest

from core.base.records import Item
from core.pipeline.engine import Engine
from core.pipeline.feed import Feed
from core.pipeline.plan import expand
from core.pipeline.ranking import ENDGAME, OldestFirst
from tests.support.fakes import FakeModel, FakeSearcher, reviews_workload

ITEM = Item("r1", "Place")


async def ranking(*, endgame: bool, more: bool) -> OldestFirst:
    """The order of a run with nothing queued, with or without items to come."""
    workload = reviews_workload()
    engine = Engine(workload, model=FakeModel(), searcher=FakeSearcher(), endgame=endgame)
    feed = Feed([ITEM, ITEM] if more else [ITEM])
    await feed.take()
    return OldestFirst(engine.context, feed)


@pytest.mark.parametrize(("endgame", "more", "later"), [(True, False, ENDGAME), (True, True, 0.0), (False, False, 0.0)])
def test_what_ends_an_item_waits_at_the_end_of_a_run_only(endgame: bool, more: bool, later: float) -> None:
    """With items to come, or in a measurement, the mix of calls stays what it is."""
    rank = asyncio.run(ranking(endgame=endgame, more=more))
    first, *_, last = expand(reviews_workload(), ITEM).nodes
    assert rank(7, first) == 7
    assert rank(7, last) == 7 + later
