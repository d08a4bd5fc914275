"""Small pure parts: quotations in reviews, numbers of citations, part titles, roles, number formats."""

from __future__ import annotations

import pytest

from core.base.records import Citation
from core.base.views import ItemView, ResultView
from core.ui import numbers
from core.ui.access import Role, role_of
from core.ui.components.evidence import pieces
from core.ui.components.parts import part_titles
from core.ui.components.result import numbered, review_numbers
from tests.support.fake_service import FakeService
from tests.support.fake_world import readings, workloads

REVIEW = "First. The soup was cold. Then rain. The soup was cold, they said. 국물이 진해요. Last."


def joined(found: list[tuple[bool, str]]) -> str:
    return " ".join(text for _, text in found)


def test_quotations_stand_out_in_the_order_of_the_review() -> None:
    found = pieces(REVIEW, ["국물이 진해요.", "The soup was cold."], whole=True)
    assert [t for marked, t in found if marked] == ["The soup was cold.", "국물이 진해요."]
    assert joined(found) == REVIEW


def test_quotations_that_overlap_are_shown_once() -> None:
    found = pieces("One two three four.", ["two three", "three four"], whole=True)
    assert joined(found) == "One two three four."


def test_a_quotation_that_is_not_in_the_review_stands_before_it() -> None:
    assert pieces("Something else.", ["lost words"], whole=True) == [(True, "lost words"), (False, "Something else.")]


def test_a_review_that_is_gone_leaves_its_quotation() -> None:
    assert pieces("", ["only this"], whole=False) == [(True, "only this")]


def test_a_long_review_is_cut_around_its_quotation() -> None:
    text = "a" * 900 + " The soup was cold. " + "b" * 900
    found = pieces(text, ["The soup was cold."], whole=False)
    assert len(joined(found)) < 600
    assert found[0][1].startswith("…")
    assert found[-1][1].endswith("…")


def result(text: str, *citations: Citation) -> ResultView:
    return ResultView("r", "R", "s", "p", "done", text, (), citations, (), None, None)


def test_citations_become_numbers_of_the_evidence_list() -> None:
    told = result("Good soup. Slow bill.", Citation(0, 10, ("b", "a")), Citation(11, 21, ("c",)))
    assert numbered(told, {"a": 1, "b": 2, "c": 3}) == "Good soup. [2][1] Slow bill. [3]"


def test_a_review_has_one_number_in_all_texts_of_an_item() -> None:
    fake = FakeService("full")
    order = review_numbers(fake.results("run-done", "r0001"))
    assert sorted(order.values()) == list(range(1, len(order) + 1))
    assert set(order) == {e.review_id for r in fake.results("run-done", "r0001") for e in r.evidence}


def test_citations_of_unknown_reviews_or_places_are_left_out() -> None:
    told = result("Good soup.", Citation(0, 99, ("a",)), Citation(0, 10, ("x",)))
    assert numbered(told, {"a": 1}) == "Good soup."


def test_titles_of_parts_come_from_the_workload_or_from_the_item() -> None:
    restaurants, cards = workloads()
    reading = readings(1)[0]
    item = ItemView(reading.id, reading.name, reading.kind, reading.fields, 0)
    assert part_titles(cards, item)["c1"] == "Present · The Fool"
    assert part_titles(restaurants, item)["food"] == "Food"
    assert part_titles(None, item) == {}


ROLES = {"operator": ["chef@example.com"], "reviewer": ["Dana@Example.com"], "viewer": ["*"]}


@pytest.mark.parametrize(
    ("email", "role"),
    [("chef@example.com", Role.OPERATOR), ("dana@example.com", Role.REVIEWER), ("x@y.z", Role.VIEWER), ("", None)],
)
def test_the_highest_role_that_names_an_address_holds(email: str, role: Role | None) -> None:
    assert role_of(email, ROLES) == role


def test_without_roles_nobody_gets_in() -> None:
    assert role_of("chef@example.com", {}) is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0.0421, "42 ms"), (1.25, "1.2 s"), (42, "42 s"), (80, "1 min 20 s"), (3700, "1 h 1 min")],
)
def test_durations_are_written_as_people_say_them(value: float | None, shown: str) -> None:
    assert numbers.seconds(value) == shown
