"""Prompts: what a call's messages hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from core.base.records import Citation, Evidence, Item, Message, NodeResult
from core.base.workload import Part, PartKind, Prompt, Query, Stage, Workload
from core.base.workload_files import find_workload, list_workloads, load_workload
from core.pipeline.evidence import Inputs, shown
from core.pipeline.plan import expand
from core.pipeline.prompts import input_hash, render

FENCE = "9f3c2a1b"
ITEM = Item("1", "Kim's Grill", fields={"city": "Seoul", "cards": [1]})
SERVICE = Part("service", "Service", query=Query("service", ("service?",), keywords=("staff", "wait")))
FOOD = Part("food", "Food")


def rows(*texts: str, author: str | None = None) -> tuple[Evidence, ...]:
    return tuple(Evidence(f"review-{n}", text, 1.0, author=author) for n, text in enumerate(texts))


def done(part: str, text: str, stage: str = "summary", **more: Any) -> NodeResult:
    return NodeResult("run", "1", stage, part, text, **more)


def workload(user: str, system: str = "", *, each: bool = True, **stage: Any) -> Workload:
    last = Stage("last", "llm", "p" if each else None, ("search", "summary", "once"), prompt="x", **stage)
    before = (Stage("search", "search", "p"), Stage("summary", "llm", "p"), Stage("once", "llm"))
    kinds = {"p": PartKind("p", (SERVICE, FOOD)), "card": PartKind("card", source="cards")}
    return Workload(
        "w", "W", (*before, last), kinds, {"x": Prompt("x", system, user), "summary": Prompt("summary", "", "")}
    )


def fill(user: str, inputs: Inputs | None = None, item: Item = ITEM, *, each: bool = True, **stage: Any) -> str:
    made = workload(user, each=each, **stage)
    node = next(n for n in expand(made, item).nodes if n.stage.id == "last")
    return render(made, node, item, inputs or Inputs(), fence=FENCE)[-1].content


def test_a_block_has_its_lines_to_itself() -> None:
    """Wherever a template names a block, its fences stand on lines of their own."""
    block = f'<data id="{FENCE}" kind="item">\n{{"name":"Kim\'s Grill"}}\n</data id="{FENCE}">'
    item = replace(ITEM, fields={})
    assert fill("a {{item_block}} b", item=item) == f"a \n{block}\n b"
    assert fill("{{item_block}}{{item_block}}", item=item) == f"{block}\n{block}"
    assert fill("a\n{{item_block}}\nb", item=item) == f"a\n{block}\nb"


def test_evidence_is_numbered_lines_between_fences() -> None:
    """A line has its number, its review's ordinal and rating, and the sentence; a review keeps its ordinal."""
    evidence = (
        Evidence("a", "Slow\nservice.", 0.9, rating=4.0),
        Evidence("b", "직원이 친절해요.", 0.8),
        Evidence("a", "Never again.", 0.7, rating=4.5),
    )
    assert fill("{{evidence}}", Inputs({"service": evidence})) == (
        f'<data id="{FENCE}" kind="evidence" part="service" title="Service" lang="en">\n'
        "[1] (r1 ★4) Slow service.\n"
        "[2] (r2) 직원이 친절해요.\n"
        "[3] (r1 ★4.5) Never again.\n"
        f'</data id="{FENCE}">'
    )


@pytest.mark.parametrize("rating", [None, 0.0, -1.0, 9.0, float("nan"), float("inf")])
def test_a_rating_out_of_range_is_left_out(rating: float | None) -> None:
    """Only 1 to 5 stars are shown: nothing else can be read as a rating."""
    assert "[1] (r1) Fine." in fill("{{evidence}}", Inputs({"service": (Evidence("a", "Fine.", 1.0, rating=rating),)}))


def test_a_stage_once_per_item_sees_the_evidence_of_every_part() -> None:
    """Without `each` there is a block per part, empty where nothing was found."""
    text = fill("{{evidence}}", Inputs({"food": rows("Tasty.")}), each=False)
    assert text.count("<data ") == 2
    assert 'part="service" title="Service" lang="en">\n\n</data' in text
    assert 'part="food" title="Food" lang="en">\n[1] (r1) Tasty.\n</data' in text


def test_results_are_one_line_each_with_their_citations() -> None:
    """Per-part results go by the part's id and keep `[service 1]`; a part without a text says so."""
    result = done(
        "service", "Kind staff.\nSlow bar.", evidence=rows("a", "b"), citations=(Citation(0, 11, ("review-1",)),)
    )
    inputs = Inputs(results={"summary": {"food": done("food", "", status="no_evidence"), "service": result}})
    assert fill("{{results.summary}}", inputs, each=False) == (
        f'<data id="{FENCE}" kind="results" stage="summary" lang="en">\n'
        "[service] Kind staff. [service 2] Slow bar.\n"
        "[food] (nothing found)\n"
        f'</data id="{FENCE}">'
    )


@pytest.mark.parametrize("status", ["failed", "refused", "no_evidence"])
def test_a_result_that_is_none_is_a_named_gap(status: str) -> None:
    """Whatever the reason that a part has no text, its line is there and says so; so is one that is missing."""
    inputs = Inputs(results={"summary": {"service": done("service", "half", status=status)}})
    text = fill("{{results.summary}}", inputs, each=False)
    assert "[service] (nothing found)\n[food] (nothing found)" in text


def test_results_follow_the_workloads_order() -> None:
    """The block does not depend on which part was done first, so that the same input has the same hash."""
    one, two = done("service", "S."), done("food", "F.")
    first = Inputs(results={"summary": {"service": one, "food": two}})
    second = Inputs(results={"summary": {"food": two, "service": one}})
    assert fill("{{results}}", first, each=False) == fill("{{results}}", second, each=False)


def test_all_results_are_a_block_per_stage() -> None:
    """{{results}} has every llm stage before this one; one that is once per item goes by the stage's id."""
    inputs = Inputs(results={"summary": {"service": done("service", "S.")}, "once": {"": done("", "All.", "once")}})
    text = fill("{{results}}", inputs, each=False)
    assert 'stage="summary" lang="en">\n[service] S.' in text
    assert 'stage="once" lang="en">\n[once] All.\n' in text
    assert text.count("<data ") == 2


def test_a_part_sees_its_own_results_only() -> None:
    """A stage each part after another each part gets that part's line, not its neighbours'."""
    inputs = Inputs(results={"summary": {"service": done("service", "S."), "food": done("food", "F.")}})
    text = fill("{{results.summary}}", inputs)
    assert "[service] S." in text
    assert "food" not in text


def test_parts_and_items_are_json_lines() -> None:
    """A part is its id and its own fields, an item its name and its fields without the lists that are parts."""
    parts = fill("{{parts}}", batch_size=2).split("\n")
    assert [orjson.loads(line) for line in parts[1:-3]] == [
        {"id": "service", "title": "Service"},
        {"id": "food", "title": "Food"},
    ]
    lines = fill("{{item_block}}").split("\n")
    assert lines[0] == f'<data id="{FENCE}" kind="item">'
    assert orjson.loads(lines[1]) == {"name": "Kim's Grill", "city": "Seoul"}


def test_names_and_titles_stand_in_the_instruction() -> None:
    """Item, part, its id and keywords are short neutral texts."""
    assert fill("{{item}} / {{ part }} / {{part_id}} / {{keywords}}") == "Kim's Grill / Service / service / staff, wait"


def test_a_short_field_is_text_and_a_long_one_a_block() -> None:
    """{{field.NAME}}: a short scalar in place, anything else fenced, a missing one named as such."""
    item = replace(ITEM, fields={"city": "Seoul", "stars": 4, "sky": "x" * 81, "tags": ["a"], "two": "a\nb"})
    assert fill("{{field.city}} {{field.stars}} {{field.none}}", item=item) == "Seoul 4 (not given)"
    for name in ("sky", "tags", "two"):
        lines = fill(f"{{{{field.{name}}}}}", item=item).split("\n")
        assert lines[0] == f'<data id="{FENCE}" kind="item">'
        assert set(orjson.loads(lines[1])) == {"name", name}


@pytest.mark.parametrize(
    ("texts", "lang", "expected"),
    [
        (("맛있어요", "good", "친절해요"), None, "Korean"),
        (("맛있어요", "good"), "ko", "English"),
        (("good",), "ko", "English"),
        ((), "ko", "Korean"),
        ((), "ko-KR", "Korean"),
        ((), "fr", "English"),
        ((), None, "English"),
    ],
)
def test_the_answers_language_is_that_of_the_evidence(texts: tuple[str, ...], lang: str | None, expected: str) -> None:
    """Most sentences decide; without any the item's lang does; otherwise it is English."""
    item = replace(ITEM, fields={} if lang is None else {"lang": lang})
    assert fill("{{language}}", Inputs({"service": rows(*texts), "food": rows("a", "b", "c")}), item) == expected


def test_a_total_speaks_the_language_of_the_evidence_behind_its_results() -> None:
    """A stage that has results but no evidence of its own looks at what these stand on."""
    result = done("service", "Kind.", evidence=rows("친절해요", "빨라요"))
    assert fill("{{language}}", Inputs(results={"summary": {"service": result}}), each=False) == "Korean"


def test_the_number_of_words_follows_the_tokens() -> None:
    """Words fit the tokens with room to spare, fewer in Korean, shared by a full batch, never below five."""
    assert fill("{{max_words}}", max_tokens=160) == "95"
    assert fill("{{max_words}}", Inputs({"service": rows("친절해요")}), max_tokens=160) == "55"
    assert fill("{{max_words}}", max_tokens=600, batch_size=2).split("\n")[0] == "170"
    assert fill("{{max_words}}", max_tokens=1) == "5"


def test_the_calls_own_tokens_are_stronger_than_the_stages() -> None:
    """max_tokens given to render, such as from the environment, decides the number of words."""
    made = workload("{{max_words}}", max_tokens=160)
    node = expand(made, ITEM).nodes[-2]
    assert render(made, node, ITEM, Inputs(), fence=FENCE, max_tokens=320)[-1].content == "190"


def test_only_a_call_for_several_parts_asks_for_json() -> None:
    """A batch names its ids in order; the last batch of one answers in plain text like any single part."""
    assert '"results"' in fill("x", batch_size=2)
    assert fill("x", batch_size=2).endswith("in this order: service, food.")
    assert fill("x", batch_size=1) == "x"


def test_an_empty_system_text_is_no_message() -> None:
    """A prompt without a system text is one user message, otherwise two."""
    made = workload("hello", "rules in {{language}}")
    node = expand(made, ITEM).nodes[-2]
    assert render(made, node, ITEM, Inputs(), fence=FENCE) == (
        Message("system", "rules in English"),
        Message("user", "hello"),
    )
    assert fill("hello") == "hello"


def test_the_system_text_is_the_same_for_every_restaurant() -> None:
    """Nothing of an item stands in a shipped system text, so that a server can keep its prefix."""
    found = find_workload("restaurant-reviews")
    node = expand(found, ITEM).nodes[1]
    texts = {
        render(found, node, Item(str(n), f"Place {n}"), Inputs({"service": rows(f"{n}")}), fence=str(n))[0]
        for n in range(5)
    }
    assert len(texts) == 1


@pytest.mark.parametrize("name", list(list_workloads()))
def test_every_shipped_prompt_can_be_rendered(name: str) -> None:
    """No placeholder is left over in any message of any node, with and without inputs."""
    from core.base.item_files import read_items

    found = load_workload(list_workloads()[name])
    assert found.sample is not None
    item = next(read_items(Path(found.sample), found.item_kind))
    for node in expand(found, item).nodes:
        if node.stage.kind == "llm":
            for message in render(found, node, item, Inputs(), fence=FENCE):
                assert "{{" not in message.content.replace('{{"', "")
                assert message.content.count("<data ") == message.content.count("</data ")


def test_the_hash_ignores_the_fence_and_nothing_else() -> None:
    """Two renderings with other fences hash alike; another word, model, tokens or temperature does not."""
    made, other = workload("{{evidence}}{{item_block}}"), workload("{{evidence}} {{item_block}}")
    node, inputs = expand(made, ITEM).nodes[-2], Inputs({"service": rows("Kind.")})

    def digest(
        source: Workload = made, fence: str = FENCE, model: str = "m", tokens: int = 9, heat: float = 0.0
    ) -> str:
        return input_hash(render(source, node, ITEM, inputs, fence=fence), model, tokens, heat)

    assert digest() == digest(fence="00000000")
    assert len({digest(), digest(other), digest(model="n"), digest(tokens=8), digest(heat=0.5)}) == 5
    assert len(digest()) == 64


def test_one_author_has_at_most_a_third() -> None:
    """Of a talkative author's sentences the best are kept, at least two, where others speak too."""
    mixed = [Evidence(f"r{n}", f"t{n}", 1.0, author="loud" if n < 7 else f"a{n}") for n in range(10)]
    kept = shown(mixed)
    assert [e.text for e in kept if e.author == "loud"] == ["t0", "t1"]
    assert [e.text for e in kept if e.author != "loud"] == ["t7", "t8", "t9"]
    assert shown(kept) == kept


def test_a_lone_author_is_not_cut() -> None:
    """Where nobody else speaks, all of an author's sentences are shown; a review without author speaks for itself."""
    alone = [Evidence("r", f"t{n}", 1.0, author="me") for n in range(9)]
    assert shown(alone) == tuple(alone)
    anonymous = [Evidence("r1", f"t{n}", 1.0) for n in range(5)] + [Evidence("r2", "u", 1.0)]
    assert [e.text for e in shown(anonymous)] == ["t0", "t1", "u"]
