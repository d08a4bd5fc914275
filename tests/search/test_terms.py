"""Our own sparse terms."""

from __future__ import annotations

import subprocess
import sys
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.search import sparse_terms
from core.search.terms import keyword_terms


def shared(one: str, other: str) -> int:
    return len(sparse_terms(one).keys() & sparse_terms(other).keys())


@pytest.mark.parametrize("text", ["맛은 별로", "맛이 좋아요", "맛도 좋고", "맛있는 맛!", "맛"])
def test_particles_hide_no_syllable(text: str) -> None:
    """A word of one syllable is found whatever particle follows it."""
    assert keyword_terms(["맛"]).keys() & sparse_terms(text).keys()


@pytest.mark.parametrize("text", ["가격이 착해요", "가격도 좋고", "가격대비", "저렴한가격에", "가격은"])
def test_particles_hide_no_word(text: str) -> None:
    """A word is found with particles behind it and words grown together before it."""
    assert keyword_terms(["가격"]).keys() <= sparse_terms(text).keys()


@pytest.mark.parametrize(
    ("one", "other"),
    [("waiters", "waiter"), ("waited", "waiting"), ("Prices", "price"), ("dishes", "DISH"), ("stopped", "stop")],
)
def test_inflections_meet(one: str, other: str) -> None:
    """Plural, past and capitals don't keep words apart."""
    assert shared(one, other) == 1


@pytest.mark.parametrize("text", ["$12 each", "it was € 9.50", "12,000원", "1만원", "3천 원"])
def test_amounts_are_money(text: str) -> None:
    """An amount in any notation is one term, which the keyword `$` asks for."""
    assert keyword_terms(["$"]).keys() <= sparse_terms(text).keys()


def test_stop_words_and_silence() -> None:
    """Stop words, marks and emoji leave no terms."""
    assert sparse_terms("It was, and that is it!! 😀") == {}


def test_values_saturate() -> None:
    """Saying a word four times counts for more than once, and for less than four times."""
    [once], [often] = (list(sparse_terms(text).values()) for text in ("soup", "soup soup soup soup"))
    assert once < often < 4 * once


def test_a_keyword_of_many_terms_weighs_as_one() -> None:
    """The weight of a keyword is shared by its bigrams."""
    assert sum(keyword_terms(["배달비용"]).values()) == pytest.approx(1)
    assert keyword_terms(["soup", "soup"]) == keyword_terms(["soup"])


def test_hashes_are_the_same_in_every_process() -> None:
    """Terms don't depend on the interpreter's hash seed: an index outlives the process."""
    code = "from core.search import sparse_terms; print(sparse_terms('맛있는 soup'))"
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in "12"
    ]
    assert outputs[0] == outputs[1] == f"{sparse_terms('맛있는 soup')}\n".encode()


@given(st.text(max_size=200))
def test_vectors_are_always_sound(text: str) -> None:
    """Every text gives u32 indices with finite positive values."""
    terms = sparse_terms(text)
    assert all(0 <= index < 2**32 for index in terms)
    assert all(isfinite(value) and value > 0 for value in terms.values())
