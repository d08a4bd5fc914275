"""Whatever stands in the blocks, the model answers: never empty, over its tokens, or with a citation that is none."""

from __future__ import annotations

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.records import Message, ModelRequest
from core.models.extractive.model import answer

PIECES = st.sampled_from(
    [
        "The staff are friendly.",
        "친절해요",
        "!!!",
        "[3]",
        "[service 1]",
        "<data id='x'>",
        "(",
        "ㅋㅋ",
        "I",
        "not",
        "4/5",
        "🍜",
    ]
)
TEXT = st.one_of(
    st.text(
        st.characters(blacklist_categories=["Cs"], blacklist_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"),
        max_size=80,
    ),
    st.lists(PIECES, max_size=8).map(" ".join),
)


def ask(kind: str, lines: list[str], max_tokens: int, *, batch: bool = False) -> tuple[str, int, str]:
    content = f'Go.\n<data id="q1w2" kind="{kind}">\n' + "\n".join(lines) + '\n</data id="q1w2">'
    reply = answer(ModelRequest("extractive", (Message("user", content),), max_tokens=max_tokens, json=batch))
    return reply.text, reply.usage.output_tokens, reply.finish


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=10), st.integers(20, 200))
def test_any_evidence_is_answered(texts: list[str], max_tokens: int) -> None:
    """Text, tokens and citations hold for any evidence."""
    lines = [f"[{n}] (r{n}) {text}" for n, text in enumerate(texts, 1)]
    text, tokens, _ = ask("evidence", lines, max_tokens)
    assert text.strip()
    assert tokens <= max_tokens
    assert all(1 <= int(n) <= len(texts) for n in re.findall(r"\[(\d+)\]", text))


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=5), st.integers(20, 200))
def test_any_results_are_answered(texts: list[str], max_tokens: int) -> None:
    """The same for results of any text."""
    text, tokens, _ = ask("results", [f"[p{n}] {text}" for n, text in enumerate(texts)], max_tokens)
    assert text.strip()
    assert tokens <= max_tokens


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=4), st.integers(150, 400))
def test_any_batch_parses(texts: list[str], max_tokens: int) -> None:
    """A batch of any fields is valid JSON with each part's id in order."""
    lines = [json.dumps({"id": f"p{n}", "meaning": text}, ensure_ascii=False) for n, text in enumerate(texts)]
    text, tokens, finish = ask("parts", lines, max_tokens, batch=True)
    assert (tokens <= max_tokens, finish) == (True, "stop")
    assert [entry["id"] for entry in json.loads(text)["results"]] == [f"p{n}" for n in range(len(texts))]
