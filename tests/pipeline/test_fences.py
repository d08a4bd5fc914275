"""The words that fence foreign text."""

from __future__ import annotations

from core.pipeline.fences import LENGTH, STOCK, Fences


def test_each_call_has_a_word_of_its_own() -> None:
    """Eight hexadecimal digits each time, over many refills; another run has other ones."""
    ours, others = Fences(), Fences()
    words = [ours.fresh() for _ in range(3 * STOCK)]
    assert all(len(word) == LENGTH and int(word, 16) >= 0 for word in words)
    assert len({*words}) >= len(words) - 1  # two in 1,536 are the same once in 3,600 times
    assert not {*words} >= {others.fresh() for _ in range(9)}
