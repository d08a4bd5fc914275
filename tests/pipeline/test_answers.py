"""Answers: JSON for a batch, text for one part, and what is no answer."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import MalformedError
from core.base.records import Citation, Evidence, NodeResult
from core.base.workload import Part
from core.pipeline.answers import parse_batch, read_batch, read_text
from core.pipeline.clean import visible
from core.pipeline.evidence import Inputs

PARTS = (Part("a", "A"), Part("b", "B"))
GOOD = '{"results": [{"id": "a", "text": "One."}, {"id": "b", "text": "Two."}]}'
EVIDENCE = tuple(Evidence(f"r{n}", f"Sentence {n}.", 1.0) for n in range(1, 5))


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}```",
        f"  \n{GOOD}\n ",
        f"\ufeff{GOOD}",
        f"<think>Two entries {{</think>\n{GOOD}",
        GOOD.replace('"results"', '"note": 1, "results"'),
    ],
)
def test_a_batch_is_read(text: str) -> None:
    """The JSON may stand in a code fence, after a model's thinking or beside other keys."""
    assert parse_batch(text, PARTS) == {"a": "One.", "b": "Two."}


def test_entries_come_back_in_the_parts_order() -> None:
    """A model that turns the order round is understood; a number as id is its text."""
    text = '{"results": [{"id": 2, "text": "Two."}, {"id": "1", "text": "One."}]}'
    assert list(parse_batch(text, (Part("1", "A"), Part("2", "B"))).items()) == [("1", "One."), ("2", "Two.")]


BAD = {
    "empty": ("", "is not JSON"),
    "prose": ("Here are the results.", "is not JSON"),
    "prose before": (f"Sure! {GOOD}", "is not JSON"),
    "cut off": (GOOD[:-5], "is not JSON"),
    "two objects": (GOOD + GOOD, "is not JSON"),
    "a list": ("[]", 'no list "results"'),
    "no results": ("{}", 'no list "results"'),
    "results no list": ('{"results": {"a": "One."}}', 'no list "results"'),
    "missing": ('{"results": [{"id": "a", "text": "One."}]}', "no entry for b"),
    "none": ('{"results": []}', "no entry for a, b"),
    "unknown": (GOOD.replace('"b"', '"c"'), "an entry for 'c', which was not asked for"),
    "one too many": (GOOD.replace("]}", ', {"id": "c", "text": "x"}]}'), "an entry for 'c'"),
    "twice": (GOOD.replace('"b"', '"a"'), "two entries for 'a'"),
    "empty text": (GOOD.replace("Two.", " "), 'without "id" or "text"'),
    "text no text": (GOOD.replace('"Two."', "2"), 'without "id" or "text"'),
    "null text": (GOOD.replace('"Two."', "null"), 'without "id" or "text"'),
    "no id": (GOOD.replace('"id": "b", ', ""), 'without "id" or "text"'),
    "a flag as id": (GOOD.replace('"b"', "true"), 'without "id" or "text"'),
    "entries no objects": ('{"results": ["One.", "Two."]}', 'without "id" or "text"'),
}


@pytest.mark.parametrize("kind", list(BAD))
def test_an_answer_that_is_no_batch_is_malformed(kind: str) -> None:
    """Missing, unknown, repeated and empty entries are refused as a whole: half a batch is no batch."""
    text, says = BAD[kind]
    with pytest.raises(MalformedError) as caught:
        parse_batch(text, PARTS)
    assert says in str(caught.value)
    assert caught.value.retryable


@given(st.text() | st.binary().map(lambda b: b.decode("latin-1")))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Any text is either a batch with every part or malformed; nothing else is raised."""
    with contextlib.suppress(MalformedError):
        assert set(parse_batch(text, PARTS)) == {"a", "b"}


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["a", "b", "c", "text", ""])),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from(["id", "text", "results"]), v, max_size=3),
)


@given(json_values)
def test_no_json_breaks_the_parser(value: Any) -> None:
    """Any JSON is either a batch or malformed."""
    with contextlib.suppress(MalformedError):
        assert set(parse_batch(orjson.dumps({"results": value}).decode(), PARTS)) == {"a", "b"}


@given(st.lists(st.text().filter(lambda text: visible(text).strip()), min_size=1, max_size=5))
def test_what_is_written_as_a_batch_is_read_back(texts: list[str]) -> None:
    """Whatever text the entries hold, they come back to their own parts."""
    parts = [Part(str(n), str(n)) for n in range(len(texts))]
    written = {"results": [{"id": part.id, "text": said} for part, said in zip(parts, texts, strict=True)]}
    found = parse_batch(orjson.dumps(written).decode(), parts)
    assert found == {part.id: visible(said).strip() for part, said in zip(parts, texts, strict=True)}


def test_a_part_has_its_evidence_and_citations() -> None:
    """The text loses its markers, the citations name reviews, and the evidence is what the prompt showed."""
    answer = read_text("Kind staff [1][3]. Slow [2].", "service", Inputs({"service": EVIDENCE, "food": EVIDENCE[:1]}))
    assert answer.text == "Kind staff. Slow."
    assert answer.citations == (Citation(0, 11, ("r1", "r3")), Citation(12, 17, ("r2",)))
    assert answer.evidence == EVIDENCE
    assert answer.flags == ()


def test_numbers_count_what_was_shown() -> None:
    """Where an author's share was capped, [3] is the third sentence that the prompt showed."""
    loud = [Evidence(f"l{n}", f"t{n}", 1.0, author="loud") for n in range(5)] + [
        Evidence("x", "u", 1.0, author="other")
    ]
    answer = read_text("Fine [3].", "service", Inputs({"service": loud}))
    assert answer.citations[0].review_ids == ("x",)
    assert [e.review_id for e in answer.evidence] == ["l0", "l1", "x"]


def test_a_text_over_all_parts_keeps_the_evidence_it_cites() -> None:
    """A total cites through its results: `[service 2]` is the second of what the service summary stood on."""
    results = {part: NodeResult("run", "1", "s", part, "x", evidence=EVIDENCE[:2]) for part in ("service", "food")}
    answer = read_text("Kind [service 2]. Tasty [Food 1].", "", Inputs(results={"s": results}))
    assert [c.review_ids for c in answer.citations] == [("r2",), ("r1",)]
    assert [e.review_id for e in answer.evidence] == ["r2", "r1"]


def test_a_sentence_that_two_parts_cite_is_evidence_once() -> None:
    """The same sentence of the same review under two aspects stands once in a total's evidence."""
    results = {part: NodeResult("run", "1", "s", part, "x", evidence=EVIDENCE[:1]) for part in ("service", "food")}
    answer = read_text("Kind [service 1]. Tasty [food 1].", "", Inputs(results={"s": results}))
    assert answer.evidence == EVIDENCE[:1]
    assert len(answer.citations) == 2


def test_flags_say_what_is_wrong_with_citations() -> None:
    """No citation where there was evidence is `uncited`; one that points nowhere is `unknown_citation`."""
    inputs = Inputs({"service": EVIDENCE})
    assert read_text("Kind staff.", "service", inputs).flags == ("uncited",)
    assert read_text("Kind staff [9].", "service", inputs).flags == ("uncited", "unknown_citation")
    assert read_text("Kind staff [1][9].", "service", inputs).flags == ("unknown_citation",)
    assert read_text("The cards are kind.", "1-present", Inputs()).flags == ()


@pytest.mark.parametrize("text", ["", "  \n", "[1][2]", "<think>hm</think>", "```\n\n```", "\u200b"])
def test_an_answer_without_words_is_malformed(text: str) -> None:
    """Nothing, only markers or only thinking is no answer."""
    with pytest.raises(MalformedError):
        read_text(text, "service", Inputs({"service": EVIDENCE}))


def test_thinking_and_fences_are_not_part_of_the_text() -> None:
    """What a reasoning model thinks aloud, and a code fence around all of it, are taken away."""
    assert read_text("<think>\nLet me [1] see.\n</think>\n\nKind staff.", "", Inputs()).text == "Kind staff."
    assert read_text("```text\nKind staff.\n```", "", Inputs()).text == "Kind staff."


def test_a_batch_is_read_part_by_part() -> None:
    """Each entry's numbers count its own part's evidence."""
    inputs = Inputs({"a": EVIDENCE[:1], "b": EVIDENCE[1:]})
    text = '{"results": [{"id": "a", "text": "One [1]."}, {"id": "b", "text": "Two [1]."}]}'
    answers = read_batch(text, PARTS, inputs)
    assert [a.citations[0].review_ids for a in answers.values()] == [("r1",), ("r2",)]
