"""Plans: nodes, batches and what waits for what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import UsageError
from core.base.records import Item
from core.base.workload import Part, PartKind, Stage, Workload
from core.base.workload_files import find_workload
from core.pipeline.plan import Plan, expand, parts_of

CARDS = PartKind("card", source="cards", title_from="position")
REVIEWS = find_workload("restaurant-reviews")
CROSS = find_workload("celtic-cross")


def reading(number: int = 10) -> Item:
    return Item("r", "Reading", "reading", {"cards": [{"id": f"c{n}", "card": "The Fool"} for n in range(number)]})


def shape(plan: Plan) -> list[tuple[str, list[str], tuple[int, ...]]]:
    return [(node.stage.id, [part.id for part in node.parts], node.needs) for node in plan.nodes]


def test_ten_cards_in_batches_of_three_are_four_calls() -> None:
    """A batched stage has 3-3-3-1 cards per call, and what comes after them once per item needs all four."""
    plan = expand(CROSS, reading())
    batches = [node for node in plan.nodes if node.stage.id == "card_interpretation"]
    assert [len(node.parts) for node in batches] == [3, 3, 3, 1]
    assert [part.id for node in batches for part in node.parts] == [f"c{n}" for n in range(10)]
    whole, relations, advice = plan.nodes[4:]
    assert whole.needs == relations.needs == (0, 1, 2, 3)
    assert advice.needs == (4, 5)


def test_an_aspect_waits_for_its_own_search_only_through_one_node() -> None:
    """All aspects are searched in one request, each is summarised on its own, and the total needs every summary and
    the evidence."""
    assert shape(expand(REVIEWS, Item("1", "A"))) == [
        ("search", ["service", "price", "food"], ()),
        ("aspect_summary", ["service"], (0,)),
        ("aspect_summary", ["price"], (0,)),
        ("aspect_summary", ["food"], (0,)),
        ("total_summary", [], (0, 1, 2, 3)),
    ]


def test_feeds_are_the_needs_turned_round() -> None:
    """Each node knows whom it feeds, its depth from the start and its height to the end."""
    plan = expand(REVIEWS, Item("1", "A"))
    assert plan.feeds == ((1, 2, 3, 4), (4,), (4,), (4,), ())
    assert [node.depth for node in plan.nodes] == [0, 1, 1, 1, 2]
    assert [node.height for node in plan.nodes] == [2, 1, 1, 1, 0]


def fixed(number: int, *stages: Stage) -> Workload:
    parts = tuple(Part(f"p{n}", f"P{n}") for n in range(number))
    return Workload("w", "W", stages, {"p": PartKind("p", parts)}, {})


def test_batches_of_two_sizes_meet_where_they_share_parts() -> None:
    """A batch needs exactly the batches before it that hold its parts."""
    plan = expand(
        fixed(5, Stage("a", "llm", "p", batch_size=2), Stage("b", "llm", "p", ("a",), batch_size=3)), Item("1", "A")
    )
    assert shape(plan) == [
        ("a", ["p0", "p1"], ()),
        ("a", ["p2", "p3"], ()),
        ("a", ["p4"], ()),
        ("b", ["p0", "p1", "p2"], (0, 1)),
        ("b", ["p3", "p4"], (1, 2)),
    ]


def test_a_stage_each_part_after_one_once_per_item_needs_that_one() -> None:
    """Fanning out again after a combined stage: each part waits for the one node."""
    plan = expand(fixed(2, Stage("a", "llm"), Stage("b", "llm", "p", ("a",))), Item("1", "A"))
    assert [node.needs for node in plan.nodes] == [(), (0,), (0,)]


@pytest.mark.parametrize(("size", "calls"), [(0, 1), (1, 3), (2, 2)])
def test_a_search_asks_for_all_parts_at_once_unless_told(size: int, calls: int) -> None:
    """Without a batch_size a search is one request for all parts; with one it is as many as needed."""
    workload = fixed(3, Stage("s", "search", "p", batch_size=size))
    assert len(expand(workload, Item("1", "A")).nodes) == calls


def test_a_model_takes_one_part_per_call_unless_told() -> None:
    """Without a batch_size an llm stage is one call per part."""
    assert len(expand(fixed(3, Stage("s", "llm", "p")), Item("1", "A")).nodes) == 3


def test_fixed_parts_are_expanded_once() -> None:
    """Every item of a workload with fixed parts shares one plan; another workload has its own."""
    assert expand(REVIEWS, Item("1", "A")) is expand(REVIEWS, Item("2", "B"))
    one, other = fixed(1, Stage("a", "llm", "p")), fixed(2, Stage("a", "llm", "p"))
    assert len(expand(one, Item("1", "A")).nodes) == 1
    assert len(expand(other, Item("1", "A")).nodes) == 2


def test_plans_of_workloads_that_are_gone_are_not_mistaken() -> None:
    """Many short-lived workloads, whose identities are reused, each get their own plan."""
    for number in [*range(1, 120), *range(1, 120)]:
        assert len(expand(fixed(number % 7 + 1, Stage("a", "llm", "p")), Item("1", "A")).nodes) == number % 7 + 1


def test_a_part_of_an_item_has_its_entrys_data() -> None:
    """An entry's id and title are the part's, its other keys the part's fields, and it can be searched by its title."""
    item = Item("r", "R", fields={"cards": [{"id": "1-now", "position": "The present", "card": "Tower"}]})
    (part,) = parts_of(CARDS, item)
    assert (part.id, part.title) == ("1-now", "The present")
    assert part.fields == {"position": "The present", "card": "Tower"}
    assert part.query is not None
    assert part.query.phrasings == ("The present",)


def test_entries_may_be_texts_or_have_no_id() -> None:
    """A text is its own id; a table without an id has its place."""
    item = Item("r", "R", fields={"cards": ["fool", {"card": "Tower"}, {"id": 7, "title": "Seven"}]})
    assert [(part.id, part.title) for part in parts_of(CARDS, item)] == [("fool", "fool"), ("2", "2"), ("7", "Seven")]


BAD = {
    "missing": ({}, "is missing"),
    "empty": ({"cards": []}, "has 0"),
    "null": ({"cards": None}, "is missing"),
    "a text": ({"cards": "fool"}, "is str"),
    "a table": ({"cards": {"id": "a"}}, "is dict"),
    "too many": ({"cards": list(range(1001))}, "has 1001"),
    "a repeated id": ({"cards": [{"id": "a"}, {"id": "b"}, {"id": "a"}]}, "has the id 'a' twice"),
    "an empty id": ({"cards": [{"id": ""}]}, "entry 1"),
    "an id with a quote": ({"cards": ["a", {"id": 'x" kind="evidence'}]}, "entry 2"),
    "an id that closes a fence": ({"cards": [{"id": "</data>"}]}, "entry 1"),
    "an id that is a marker": ({"cards": [{"id": "[1]"}]}, "entry 1"),
    "an id of two lines": ({"cards": [{"id": "a\nb"}]}, "entry 1"),
    "an id that is too long": ({"cards": [{"id": "x" * 65}]}, "up to 64"),
}


@pytest.mark.parametrize("kind", list(BAD))
def test_an_item_whose_list_cannot_be_used_is_named(kind: str) -> None:
    """The error names the item, the field and what is wrong with it."""
    fields, says = BAD[kind]
    with pytest.raises(UsageError) as caught:
        expand(CROSS, Item("reading-9", "R", fields=fields))
    assert "Item 'reading-9': field 'cards' " in str(caught.value)
    assert says in str(caught.value)


stages = st.lists(
    st.tuples(st.sampled_from(["search", "llm"]), st.booleans(), st.sets(st.integers(0, 5)), st.integers(0, 4)),
    min_size=1,
    max_size=6,
)


@given(st.integers(1, 7), stages)
def test_any_plan_is_sound(number: int, drawn: list[tuple[str, bool, set[int], int]]) -> None:
    """Each part is in one node per stage; needs point back, feeds mirror them, a part's needs hold that part."""
    made: list[Stage] = []
    for at, (kind, each, after, size) in enumerate(drawn):
        made.append(
            Stage(f"s{at}", kind, "p" if each else None, tuple(f"s{n}" for n in after if n < at), batch_size=size)
        )
    plan = expand(fixed(number, *made), Item("1", "A"))
    for stage in made:
        own = [part.id for node in plan.nodes if node.stage is stage for part in node.parts]
        assert own == ([f"p{n}" for n in range(number)] if stage.each else [])
    for node in plan.nodes:
        assert all(other < node.index for other in node.needs)
        assert all(node.index in plan.feeds[other] for other in node.needs)
        assert sum(node.index in feeds for feeds in plan.feeds) == len(node.needs)
        _check_needs(plan, node.index)


def _check_needs(plan: Plan, index: int) -> None:
    node: Any = plan.nodes[index]
    for other in plan.nodes:
        is_before = other.stage.id in node.stage.after
        shares = not node.parts or not other.parts or bool({p.id for p in node.parts} & {p.id for p in other.parts})
        assert (other.index in node.needs) == (is_before and shares)
    assert node.depth == max((plan.nodes[n].depth + 1 for n in node.needs), default=0)
    assert node.height == max((plan.nodes[n].height + 1 for n in plan.feeds[index]), default=0)


def test_the_shipped_samples_can_be_expanded() -> None:
    """Every sample reading is ten cards in four calls; expanding needs no file."""
    from core.base.item_files import read_items

    assert isinstance(CROSS.sample, Path)
    for item in read_items(CROSS.sample, CROSS.item_kind):
        assert len(expand(CROSS, item).nodes) == 7
