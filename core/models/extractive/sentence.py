"""What is known of one candidate sentence: its terms, tone, length and whose voice it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.models.extractive import form, lexicon

_WORD = re.compile(r"[a-z$]+(?:'[a-z]+)?|[가-힣]+|\d+")

_NEGATED_KO = re.compile(r"(?:안|못) ?(?:맛있|좋|친절|빠르|신선|깔끔|깨끗)|지(?:는|도|가)? ?않|지 ?못")

_ABOUT = frozenset(lexicon.CONCEPTS.values()) | frozenset(lexicon.CONCEPTS_KO.values())
_TELLING = lexicon.POSITIVE | lexicon.NEGATIVE | lexicon.PLACE
_TELLING_KO = lexicon.POSITIVE_KO + lexicon.NEGATIVE_KO + lexicon.PLACE_KO


@dataclass(frozen=True, slots=True)
class Sentence:
    """A candidate.

    cites: what it is cited by; source: whose review; order: its rank; group: its aspect, where there are several;
    tone: -1 complaint .. 1 praise; personal: 0 about the place .. 1 the reviewer's own story; form: see `form`;
    telling: whether it has a word of opinion or of what a place has; concrete: whether of the latter.
    """

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
    telling: bool = True
    concrete: bool = False


def read(
    text: str, *, cites: tuple[str, ...], source: str, order: int, group: str = "", rating: float | None = None
) -> Sentence:
    """A sentence with its features, from its tidied text."""
    tokens = _WORD.findall(text.lower().replace("’", "'"))
    terms = frozenset(term for word in tokens for term in terms_of(word))
    value = form.reads_alone(tokens) + (0.0 if text.isascii() else form.reads_alone_ko(text))
    tone = _tone(tokens, text, rating)
    personal, telling = _personal(tokens, text), _telling(tokens, terms, text)
    concrete = not lexicon.PLACE.isdisjoint(tokens)
    return Sentence(text, cites, source, order, group, terms, tone, length(text), personal, value, telling, concrete)


def terms_in(text: str) -> frozenset[str]:
    """The content terms of any text."""
    return frozenset(term for word in _WORD.findall(text.lower()) for term in terms_of(word))


def length(text: str) -> int:
    """Words; three Hangul syllables count as a word, since Korean packs more into one."""
    hangul = 0 if text.isascii() else sum("가" <= c <= "힣" for c in text)
    return max(len(text.split()), hangul // 2)


def terms_of(word: str) -> tuple[str, ...]:
    """The content terms of a word: its stem or its concept; for Hangul its character bigrams."""
    if "가" <= word[0] <= "힣":
        return _terms_ko(word)
    word = word.removesuffix("'s").replace("'", "")
    if word in lexicon.STOP or (len(word) < 2 and word != "$") or word.isdigit():
        return ()
    stem = _stem(word)
    return (lexicon.CONCEPTS.get(stem) or lexicon.CONCEPTS.get(word) or stem,)


def _terms_ko(word: str) -> tuple[str, ...]:
    """A Hangul word's concept, or its character bigrams without the particle."""
    if concept := lexicon.CONCEPTS_KO.get(word[:2]):
        return (concept,)
    if len(word) > 2:
        word = next((word.removesuffix(p) for p in lexicon.PARTICLES_KO if word.endswith(p)), word)
    pairs = (word[i : i + 2] for i in range(max(len(word) - 1, 1)))
    return tuple(pair for pair in pairs if len(pair) > 1 and pair not in lexicon.STOP_KO)


def _stem(token: str) -> str:
    if token.endswith("ies") and len(token) > 4:
        return token[:-3] + "y"
    return token[:-1] if token.endswith("s") and len(token) > 3 else token


def _tone(tokens: list[str], text: str, rating: float | None) -> float:
    score = sum(_sign(tokens, i) for i in range(len(tokens)))
    score += 0 if text.isascii() else _tone_ko(text)
    if not score and rating is not None:
        return (rating - 3) / 4
    return max(-1.0, min(1.0, score / 2))


def _telling(tokens: list[str], terms: frozenset[str], text: str) -> bool:
    said = set(tokens)
    if not _TELLING.isdisjoint(said) or not _ABOUT.isdisjoint(terms):
        return True
    return not text.isascii() and any(word in text for word in _TELLING_KO)


def _sign(tokens: list[str], i: int) -> int:
    """1 for praise, -1 for a complaint, turned by a negation up to three words before."""
    sign = (tokens[i] in lexicon.POSITIVE) - (tokens[i] in lexicon.NEGATIVE)
    if sign and any(before.replace("'", "") in lexicon.NEGATORS for before in tokens[max(i - 3, 0) : i]):
        return -sign
    return sign


def _tone_ko(text: str) -> int:
    praise = sum(word in text for word in lexicon.POSITIVE_KO)
    score = praise - sum(word in text for word in lexicon.NEGATIVE_KO)
    return -score if score > 0 and _NEGATED_KO.search(text) else score


def _personal(tokens: list[str], text: str) -> float:
    """0 impersonal .. 1: a story of the reviewer's own."""
    own = sum(token in lexicon.PERSONAL for token in tokens)
    own += bool(tokens) and tokens[0] in lexicon.IMPLIED_I
    if not text.isascii():
        own += sum(mark in text for mark in lexicon.PERSONAL_KO) + 2 * any(mark in text for mark in lexicon.EMPTY_KO)
    return min(own, 2) / 2
