"""The sparse side: our own terms for Latin and Hangul words, the same for every backend.

Engines' tokenizers split Korean at spaces, where particles hide the words (`맛은`, `맛도`); character bigrams find
them. Values saturate with the term's frequency as in BM25 (Robertson and Zaragoza 2009, k1 = 1.2, b = 0.25); the
inverse document frequency comes from the engine (its IDF modifier).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from zlib import crc32

K1 = 1.2
B = 0.25
AVERAGE_TERMS = 10.0
MONEY = "$"

_TOKEN = re.compile(
    r"(?P<money>[$€£₩]\s?\d[\d,.]*|(?<![\d,.])\d[\d,.]*+\s?(?:만|천|백)?\s?원|[$€£₩]+)|(?P<latin>[a-z\u00df-\u024f][a-z0-9\u00df-\u024f]*)"
    r"|(?P<hangul>[가-힣]+)|(?P<other>[\u0370-\u052f\u3040-\u30ff\u3400-\u9fff]+)"
)
_STOP_WORDS = """
a about after all also am an and any are as at be because been but by can could did do does for from get got had
has have he her here him his how i if in into is it its just like me more most my no not now of on one only or
our out over really s she so some than that the their them then there these they this those to too up us very
was we went were what when where which who will with would you your t m re ve ll d don didn isn wasn
"""
_PARTICLE_WORDS = "이 가 은 는 을 를 도 만 의 에 로 과 와 랑 이나 나 이랑 으로 까지 부터 보다 에서 처럼"
_STOP = frozenset(_STOP_WORDS.split())
_PARTICLES = tuple(_PARTICLE_WORDS.split())


def sparse_terms(text: str) -> dict[int, float]:
    """A text's sparse vector: term hash (u32) to saturated frequency; empty for a text without words."""
    counts = Counter(term for token in _tokens(text) for term in token)
    norm = K1 * (1 - B + B * counts.total() / AVERAGE_TERMS)
    return {term: round(count * (K1 + 1) / (count + norm), 4) for term, count in counts.items()}


def keyword_terms(keywords: Iterable[str]) -> dict[int, float]:
    """The sparse query for keywords: each keyword's weight of 1 is shared by its terms."""
    weights: dict[int, float] = {}
    for keyword in keywords:
        terms = [term for token in _tokens(keyword) for term in token]
        for term in terms:
            weights[term] = max(weights.get(term, 0.0), 1 / len(terms))
    return weights


def _tokens(text: str) -> Iterator[tuple[int, ...]]:
    for match in _TOKEN.finditer(text.lower()):
        yield _terms_of(match.lastgroup or "", MONEY if match.lastgroup == "money" else match.group())


@lru_cache(maxsize=50_000)
def _terms_of(script: str, word: str) -> tuple[int, ...]:
    if script == "latin":
        return () if word in _STOP else (_hashed(_stem(word)),)
    if script == "money":
        return (_hashed(MONEY),)
    return tuple(_hashed(gram) for gram in _grams(word))


def _grams(word: str) -> Iterator[str]:
    """Character bigrams; a single syllable with or without its particle is a term of its own (`맛`, `맛도`)."""
    bare = next((word[: -len(p)] for p in _PARTICLES if word.endswith(p) and len(word) > len(p)), word)
    if len(bare) == 1:
        yield bare
    for start in range(len(word) - 1):
        yield word[start : start + 2]


def _hashed(term: str) -> int:
    return crc32(term.encode())


_SUFFIXES = (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", "e"), ("s", ""))


def _stem(word: str) -> str:
    """A light stem: plural, -ing and -ed go, so that `waiters`, `waited` and `waiting` meet their keywords."""
    for suffix, rest in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith(("ss", "us")):
            stem = word[: -len(suffix)] + rest
            break
    else:
        stem = word
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "lsz" and stem != word:
        stem = stem[:-1]
    return stem.removesuffix("e") if len(stem) > 3 else stem
