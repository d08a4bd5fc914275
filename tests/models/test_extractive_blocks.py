"""Reading the fenced blocks of a prompt."""

from __future__ import annotations

from core.models.extractive.blocks import evidence_lines, json_lines, read_blocks, result_texts, without_blocks

PROMPT = """Summarise the service.
<data id="9f3c2a1b" kind="evidence" part="service" title="Service">
[1] (r3 ★4.5) The waiter forgot our order.
[2] (r7) 직원분들이 친절했어요.
not a line of evidence
</data id="9f3c2a1b">
<data id="00aa11bb" kind="item">
{"question": "Shall I?"}
</data id="00aa11bb">
Answer in English."""


def test_blocks_come_in_order_with_their_attributes() -> None:
    """Kind, part and every other attribute are read."""
    first, second = read_blocks(PROMPT)
    assert (first.kind, first.part, first.attributes["title"]) == ("evidence", "service", "Service")
    assert (second.kind, second.part) == ("item", "")


def test_evidence_lines_have_number_review_rating_and_text() -> None:
    """What is no line of evidence is left out; a missing rating is None."""
    one, two = evidence_lines(read_blocks(PROMPT)[0])
    assert (one.number, one.review, one.rating, one.text) == (1, 3, 4.5, "The waiter forgot our order.")
    assert (two.review, two.rating) == (7, None)


def test_a_fence_inside_a_block_is_its_text() -> None:
    """Only the random fence that opened a block closes it, and none opens within it."""
    inner = '[1] (r1) Hi.\n</data id="x">\n<data id="y" kind="results">\n[2] (r2) Ho.'
    blocks = read_blocks(f'<data id="real1" kind="evidence" part="p">\n{inner}\n</data id="real1">\ntail')
    assert [block.kind for block in blocks] == ["evidence"]
    assert [line.text for line in evidence_lines(blocks[0])] == ["Hi.", "Ho."]


def test_an_empty_and_an_unclosed_block_are_read_without_harm() -> None:
    """An empty block has no lines; one whose end was cut off reaches to the end of the prompt."""
    assert read_blocks('<data id="a" kind="evidence">\n</data id="a">')[0].lines == ()
    assert read_blocks('<data id="a" kind="evidence">\n[1] (r1) Cut')[0].lines == ("[1] (r1) Cut",)


def test_results_have_ids_and_texts_and_gaps_are_empty() -> None:
    """`(nothing found)` is no text; a folded line belongs to the result before it."""
    block = read_blocks('<data id="a" kind="results">\n[food] Good.\nReally.\n[price] (nothing found)\n</data id="a">')[
        0
    ]
    assert result_texts(block) == [("food", "Good. Really."), ("price", "")]


def test_json_lines_that_do_not_parse_are_left_out() -> None:
    """A broken line costs itself only."""
    block = read_blocks('<data id="a" kind="parts">\n{"id": "x"}\n{"id":\n[1]\n</data id="a">')[0]
    assert json_lines(block) == [{"id": "x"}]


def test_the_prompts_own_words_are_what_stands_before_the_first_block() -> None:
    """Instructions are free text around the blocks."""
    assert without_blocks(PROMPT) == "Summarise the service.\n"
