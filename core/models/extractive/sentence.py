"""What is known of one candidate sentence: its terms, tone, length and whose voice it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.models.extractive import form, lexicon

_WORD = re.compile(r"[a-z$]+(?:['’][a-z]+)?|[가-힣]+|\d+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A candidate. `cites` are what it may be cited by; `source` its review; tone -1..1; weight: a prior, 1 = plain."""

    text: str
    cites: tuple[str, ...]
    source: str
    order: int
    group: str
    terms: frozenset[str]
    tone: float
    words: int
    personal: float
    form: float = 0.0


def read(text: str, *, cites: tuple[str, ...], source: str, order: int, group: str = "", rating: float | None = None) -> Sentence:
    """A sentence with its features, from its cleaned text."""
    tokens = _WORD.findall(text.lower())
    terms = frozenset(term for token in tokens for term in terms_of(token))
    return Sentence(
        text, cites, source, order, group, terms, _tone(tokens, text, rating), length(text), _personal(tokens, text),
        form.reads_alone(text),
    )


def length(text: str) -> int:
    """Words; three Hangul syllables count as a word, since Korean packs more into one."""
    hangul = 0 if text.isascii() else sum("가" <= c <= "힣" for c in text)
    return max(len(text.split()), hangul // 2)


def terms_of(token: str) -> tuple[str, ...]:
    """The content terms of a token: a stemmed word or its concept; for Hangul its character bigrams."""
    if "가" <= token[0] <= "힣":
        pairs = (token[i : i + 2] for i in range(max(len(token) - 1, 1)))
        return tuple(pair for pair in pairs if pair not in lexicon.STOP_KO)
    token = token.replace("’", "'").removesuffix("'s").replace("'", "")
    if token in lexicon.STOP or (len(token) < 2 and token != "$") or token.isdigit():
        return ()
    stem = _stem(token)
    return (lexicon.CONCEPTS.get(stem) or lexicon.CONCEPTS.get(token) or stem,)


def _stem(token: str) -> str:
    if token.endswith("ies") and len(token) > 4:
        return token[:-3] + "y"
    return token[:-1] if token.endswith("s") and len(token) > 3 else token


def _tone(tokens: list[str], text: str, rating: float | None) -> float:
    score = _tone_ko(text) if not text.isascii() else 0
    for i, token in enumerate(tokens):
        sign = (token in lexicon.POSITIVE) - (token in lexicon.NEGATIVE)
        if sign:
            negated = any(before.replace("'", "").replace("’", "") in lexicon.NEGATORS for before in tokens[max(i - 3, 0) : i])
            score += -sign if negated else sign
    if not score and rating is not None:
        return (rating - 3) / 4
    return max(-1.0, min(1.0, score / 2))


def _tone_ko(text: str) -> int:
    score = sum(word in text for word in lexicon.POSITIVE_KO) - sum(word in text for word in lexicon.NEGATIVE_KO)
    if score > 0 and any(f"{mark}{word}" in text for word in lexicon.POSITIVE_KO for mark in ("안 ", "안", "못 ")):
        return -score
    return -score if score > 0 and ("지 않" in text or "지않" in text or "지는 않" in text) else score


def _personal(tokens: list[str], text: str) -> float:
    """0 impersonal .. 1: a story of the reviewer's own."""
    own = sum(token.replace("’", "'") in lexicon.PERSONAL for token in tokens)
    if not text.isascii():
        own += sum(mark in text for mark in lexicon.PERSONAL_KO) + sum(mark in text for mark in lexicon.EMPTY_KO)
    return min(own, 2) / 2
