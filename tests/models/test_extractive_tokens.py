"""Token estimates."""

from __future__ import annotations

import pytest

from core.models.tokens import estimate_tokens


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("", 0, 0),
        ("Hello", 1, 2),
        ("The staff were friendly and the food came quickly.", 10, 15),
        ("직원분들이 정말 친절했어요", 9, 14),
        ("국밥 is good", 3, 5),
        ("\ud800 broken", 2, 4),
    ],
)
def test_estimates_are_near_what_tokenizers_count(text: str, low: int, high: int) -> None:
    """English counts about four characters a token, Hangul nearly one syllable; odd text does not fail."""
    assert low <= estimate_tokens(text) <= high


def test_a_longer_text_never_counts_less() -> None:
    """Estimates grow with the text, so that a cut always helps."""
    text = "맛있어요 good food 가격도 fair 😀 and so on"
    counts = [estimate_tokens(text[:n]) for n in range(len(text) + 1)]
    assert counts == sorted(counts)
