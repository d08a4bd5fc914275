"""Citations: markers become spans over a clean text, and spans become markers again."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.records import Citation, Evidence, NodeResult
from core.pipeline.citations import cite, read_marks, unknown_labels, with_labels

LABELS = {str(n): f"r{n}" for n in range(1, 10)} | {f"service {n}": f"s{n}" for n in range(1, 5)}


def cited(text: str) -> list[tuple[str, tuple[str, ...]]]:
    clean, citations = cite(text, LABELS)
    return [(clean[c.start : c.end], c.review_ids) for c in citations]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Kind staff [1].", [("Kind staff.", ("r1",))]),
        ("Kind staff. [1]", [("Kind staff.", ("r1",))]),
        ("Kind staff.[1]", [("Kind staff.", ("r1",))]),
        ("Kind [1][3] staff.", [("Kind staff.", ("r1", "r3"))]),
        ("Kind [1] [3].", [("Kind.", ("r1", "r3"))]),
        ("Kind [1, 3; 4].", [("Kind.", ("r1", "r3", "r4"))]),
        ("Kind [2-4].", [("Kind.", ("r2", "r3", "r4"))]),
        ("Kind [2–3].", [("Kind.", ("r2", "r3"))]),
        ("Kind 【1】.", [("Kind.", ("r1",))]),
        ("Kind [^1].", [("Kind.", ("r1",))]),
        ("Kind [ 1 ].", [("Kind.", ("r1",))]),
        ("Kind [service 4].", [("Kind.", ("s4",))]),
        ("Kind [Service 4].", [("Kind.", ("s4",))]),
        ("Kind [service 1][service 4].", [("Kind.", ("s1", "s4"))]),
        ("Kind [service 1, 4].", [("Kind.", ("s1", "s4"))]),
        ("Kind [service 1, 2] [3].", [("Kind.", ("s1", "s2", "r3"))]),
        ("Kind [1][1].", [("Kind.", ("r1",))]),
        ("Kind (r1) [1].", [("Kind.", ("r1",))]),
        ("Kind. Slow [2]. Dear.", [("Slow.", ("r2",))]),
        ("Kind [1]. Slow [2]!", [("Kind.", ("r1",)), ("Slow!", ("r2",))]),
        ("It costs 4.5 dollars [1]. Fine.", [("It costs 4.5 dollars.", ("r1",))]),
        ("Mr. Kim is kind [1]. Fine.", [("Mr. Kim is kind.", ("r1",))]),
        ('She said "never again." [1] Fine.', [('She said "never again."', ("r1",))]),
        ("친절해요 [1]. 느려요.[2] 비싸요", [("친절해요.", ("r1",)), ("느려요.", ("r2",))]),
        ("親切です。[1]高い。[2]", [("親切です。", ("r1",)), ("高い。", ("r2",))]),
        ("- Kind [1]\n- Slow [2]", [("- Kind", ("r1",)), ("- Slow", ("r2",))]),
        ("[1] Kind staff.\n[2] Slow bar.", [("Kind staff.", ("r1",)), ("Slow bar.", ("r2",))]),
        ("1. Kind [1]\n2. Slow [2]", [("1. Kind", ("r1",)), ("2. Slow", ("r2",))]),
    ],
)
def test_a_marker_belongs_to_its_sentence(text: str, expected: list[tuple[str, tuple[str, ...]]]) -> None:
    """Every way models write citations gives the span of the sentence and the reviews behind it."""
    assert cited(text) == expected


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Kind staff [1], slow bar [2].", "Kind staff, slow bar."),
        ("Kind [1] and slow.", "Kind and slow."),
        ("Kind.[1]Slow.", "Kind. Slow."),
        ("[1] Kind.", "Kind."),
        ("One [1].\n\nTwo [2].", "One.\n\nTwo."),
        ("Kind [9999].", "Kind."),
        ("Kind (r12 ★4) staff.", "Kind staff."),
    ],
)
def test_the_text_reads_as_if_it_never_had_markers(text: str, clean: str) -> None:
    """Spaces before a marker go with it, and words never run together."""
    assert cite(text, LABELS)[0] == clean


@pytest.mark.parametrize(
    "text", ["[sic] it was good", "He paid [about ten] euros", "array[i]", "[link](x)", "(really)", "[]"]
)
def test_other_brackets_stay(text: str) -> None:
    """What has no number is the model's own words."""
    assert cite(text, LABELS) == (text, ())


def test_unknown_labels_are_dropped_and_reported() -> None:
    """A number or a part that was never shown cites nothing, is not left in the text, and is told."""
    text = "Kind [12]. Quiet [ambience 1]. Slow [2][77]."
    assert cite(text, LABELS) == ("Kind. Quiet. Slow.", (Citation(13, 18, ("r2",)),))
    assert unknown_labels(text, LABELS) == ("12", "ambience 1", "77")
    assert unknown_labels("Kind [1].", LABELS) == ()


def test_an_absurd_range_is_bounded() -> None:
    """[1-9999] does not make ten thousand labels."""
    assert len(read_marks("Kind [1-9999].", LABELS).unknown) < 60


words = st.sampled_from(
    [
        "Kind",
        "staff",
        "4.5",
        "느려요",
        "e.g.",
        "Mr.",
        "[1]",
        "[2, 3]",
        "[service 4]",
        "[77]",
        ".",
        "!",
        "\n",
        " ",
        "。",
        "[",
        "]",
        "(r1)",
        "- ",
        "\t",
    ]
)
told = st.sampled_from(["Kind staff.", "느려요.", "It costs 4.5!", "Really?"])


@given(st.one_of(st.lists(words, max_size=30).map(" ".join), st.lists(words, max_size=30).map("".join), st.text()))
def test_any_text_gives_sound_spans(text: str) -> None:
    """Spans lie within the clean text, do not overlap, are not blank, and cite known reviews only."""
    clean, citations = cite(text, LABELS)
    at = 0
    for citation in citations:
        assert at <= citation.start < citation.end <= len(clean)
        assert clean[citation.start : citation.end].strip()
        assert citation.review_ids
        assert set(citation.review_ids) <= set(LABELS.values())
        at = citation.end
    assert clean == clean.strip()


@given(st.lists(st.tuples(told, st.sets(st.integers(0, 3))), min_size=1, max_size=5))
def test_labels_survive_the_way_to_the_next_prompt(drawn: list[tuple[str, set[int]]]) -> None:
    """with_labels writes what cite reads: text and citations come back from the line in the next prompt."""
    evidence = tuple(Evidence(f"r{n}", "x", 1.0) for n in range(4))
    text, citations = "", []
    for sentence, numbers in drawn:
        start = len(text)
        text += f"{sentence} "
        if numbers:
            ids = tuple(f"r{n}" for n in sorted(numbers))
            citations.append(Citation(start, start + len(sentence), ids))
    result = NodeResult("run", "1", "s", "service", text.strip(), evidence=evidence, citations=tuple(citations))
    labels = {f"service {n}": e.review_id for n, e in enumerate(evidence, 1)}
    assert cite(with_labels(result), labels) == (text.strip(), tuple(citations))


def test_a_result_cannot_smuggle_labels() -> None:
    """Brackets in a stored text are no citations in the next prompt; spans out of range are left out."""
    evidence = (Evidence("r1", "x", 1.0),)
    spans = (Citation(0, 99, ("r1",)), Citation(0, 0, ("r1",)), Citation(0, 4, ("gone",)))
    result = NodeResult("run", "1", "s", "service", "Kind [service 9]\n[food] x", evidence=evidence, citations=spans)
    assert with_labels(result) == "Kind (service 9) (food) x [service 1]"


@pytest.mark.parametrize(
    "text",
    ["[" * 50_000, "[1" * 50_000, "[ " * 50_000, "(r1 " * 30_000, "[a " * 30_000, ". " * 50_000, " " * 90_000 + "[1]"],
)
def test_no_text_takes_long(text: str) -> None:
    """Texts made to make a regular expression slow are read in no time."""
    began = time.perf_counter()
    cite(text, LABELS)
    assert time.perf_counter() - began < 2.0
