"""Cutting reviews into sentences."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.search import sparse_terms, split_sentences
from core.search.sentences import LONGEST

CASES = {
    "plain": ("Good soup. Bad wine! Why? Nobody knows…", ["Good soup.", "Bad wine!", "Why?", "Nobody knows…"]),
    "quotes": ('He said "never again." Then he left.', ['He said "never again."', "Then he left."]),
    "abbreviations": ("Mr. Kim paid Rs. 500, i.e. too much. Fine.", ["Mr. Kim paid Rs. 500, i.e. too much.", "Fine."]),
    "decimals": ("It cost 4.50 in all. Cheap.", ["It cost 4.50 in all.", "Cheap."]),
    "no space after a stop": ("Food was good.The waiter was not.", ["Food was good.", "The waiter was not."]),
    "lines": ("Service: 5/5\nFood: 4/5\n\n- nice", ["Service: 5/5", "Food: 4/5", "- nice"]),
    "korean without stops": (
        "맛있고 배달도 빨라요 저번에 먹고 반해서 다시 시켰습니다 또 올게요",
        ["맛있고 배달도 빨라요", "저번에 먹고 반해서 다시 시켰습니다", "또 올게요"],
    ),
    "korean plain ending": ("양이 정말 많았다 다음에 또 시킨다", ["양이 정말 많았다", "다음에 또 시킨다"]),
    "laughing": ("배달 빨라요ㅋㅋㅋ 맛은 별로ㅠㅠ 그래도 굿", ["배달 빨라요ㅋㅋㅋ", "맛은 별로ㅠㅠ", "그래도 굿"]),
    "tildes": ("맛있어요~~ 담에 또 시킬게요~", ["맛있어요~~", "담에 또 시킬게요~"]),
    "a range is no ending": ("보통 2~3시간 걸려요", ["보통 2~3시간 걸려요"]),
    "emoji": ("맛있어요👍 최고예요😊😊", ["맛있어요👍", "최고예요😊😊"]),
    "lonely marks stay": ("Great!! :) 😍", ["Great!! :) 😍"]),
    "blank": (" \n ", []),
}


@pytest.mark.parametrize(("text", "sentences"), CASES.values(), ids=CASES.keys())
def test_cases(text: str, sentences: list[str]) -> None:
    """Each way of writing is cut where a reader would."""
    assert split_sentences(text) == sentences


def test_long_fragments_are_cut_at_a_space() -> None:
    """A text without an end is cut at about 300 characters, between words."""
    words = "lovely, dish " * 100
    pieces = split_sentences(words)
    assert all(LONGEST / 2 < len(piece) <= LONGEST for piece in pieces[:-1])
    assert "".join("".join(pieces).split()) == "".join(words.split())
    assert [len(piece) for piece in split_sentences("x" * 700)] == [300, 300, 100]


@pytest.mark.parametrize("mark", ["!", "~", "ㅋ", " ", "요~", "^", "1,", '"', "ㅠ.", "요 "])
def test_hostile_repetition_takes_linear_time(mark: str) -> None:
    """Twice the length takes about twice the time, not four times: 200,000 marks are cut in well under a second."""
    started = time.process_time()
    split_sentences(mark * (200_000 // len(mark)) + "a")
    sparse_terms(mark * (200_000 // len(mark)) + "a")
    assert time.process_time() - started < 2


@given(st.text(alphabet=st.sampled_from("aB.!? ~\n맛요다ㅋㅠ😀,^\"')1"), max_size=400) | st.text(max_size=400))
def test_nothing_is_lost(text: str) -> None:
    """Whatever the text, the sentences hold all of it except white space, in order, and none is blank."""
    pieces = split_sentences(text)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(piece.strip() and len(piece) <= LONGEST for piece in pieces)
