"""Choosing sentences: what several reviewers agree on, in proportion to how they feel, without saying a thing twice."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.models.extractive.balance import views_of
from core.models.extractive.sentence import Sentence

SAME = 0.6  # share of the smaller sentence's terms from which two sentences say the same
SAME_ACROSS = 0.8  # ... of both sentences' terms, when they speak under different aspects
ALIKE = 0.5  # ... from which one supports the other
FRESH = 0.34  # share of a further sentence's terms that must not have been said


@dataclass(frozen=True, slots=True)
class Taste:
    """What a summary should be like.

    words, sentences: at most so many in all; each: of one review; floor: the least a further sentence must be worth.
    The rest weighs a sentence: an early rank, the reviewers' mood, every further citation, naming what the place has
    (what tells one place from the others); against it the reviewer's
    own story, words over `ideal` and under five. `said` is what is left of a term's worth once it has been said.
    """

    words: int
    sentences: int
    each: int = 2
    floor: float = -0.1
    rank: float = 0.15
    personal: float = 0.3
    ideal: int = 12
    long: float = 0.015
    short: float = 0.07
    said: float = 0.25
    tone: float = 0.1
    support: float = 0.0
    concrete: float = 0.0


@dataclass(frozen=True, slots=True)
class Choice:
    """A chosen sentence with the citations of those that support it (its own first)."""

    sentence: Sentence
    cites: tuple[str, ...]


def choose(candidates: Sequence[Sentence], taste: Taste) -> list[Choice]:
    """The best sentences, best first, within the taste's words; empty only without candidates."""
    choosing = _Choosing(candidates, taste)
    chosen: list[Sentence] = []
    while len(chosen) < taste.sentences and (best := choosing.next(chosen)):
        chosen.append(best)
    return [Choice(sentence, _supporters(sentence, candidates)) for sentence in chosen]


class _Choosing:
    """The candidates of one summary and what their terms are worth."""

    def __init__(self, candidates: Sequence[Sentence], taste: Taste) -> None:
        self._taste = taste
        self._worth = _worth(candidates)
        self._left = [c for c in candidates if c.telling or any(self._worth[term] for term in c.terms)]
        self._last = max((c.order for c in candidates), default=0) + 1
        self._views = views_of(candidates)
        self._said: set[str] = set()

    def next(self, chosen: Sequence[Sentence]) -> Sentence | None:
        """The best that may still be said beside the chosen ones; None where nothing is worth it."""
        allowed = [c for c in self._left if self._allowed(c, chosen)]
        best = max(allowed, key=self._value, default=None)
        if best is None or (chosen and self._value(best) < self._taste.floor):
            return None
        self._said |= best.terms
        self._left = [c for c in self._left if c is not best and overlap(c, best) < SAME]
        return best

    def _allowed(self, candidate: Sentence, chosen: Sequence[Sentence]) -> bool:
        if not chosen:
            return self._views.allow(candidate, chosen)
        room = self._taste.words - sum(c.words for c in chosen)
        fresh = candidate.words <= room and len(candidate.terms - self._said) > FRESH * len(candidate.terms)
        own = sum(c.source == candidate.source for c in chosen)
        return fresh and own < self._taste.each and self._views.allow(candidate, chosen)

    def _value(self, candidate: Sentence) -> float:
        """Agreed terms not yet said, per root of length, plus what the sentence itself is worth."""
        taste = self._taste
        total = sum(self._worth[t] * (taste.said if t in self._said else 1.0) for t in candidate.terms)
        value = total / math.sqrt(len(candidate.terms) + 2) + taste.rank * (1 - candidate.order / self._last)
        value += candidate.form - taste.personal * candidate.personal + taste.concrete * candidate.concrete
        value += taste.tone * candidate.tone * self._views.mood + taste.support * min(len(candidate.cites) - 1, 3)
        return value - taste.long * max(candidate.words - taste.ideal, 0) - taste.short * max(5 - candidate.words, 0)


def overlap(one: Sentence, other: Sentence) -> float:
    """The share of the smaller sentence's terms that both have, 0..1."""
    smaller = min(len(one.terms), len(other.terms))
    return len(one.terms & other.terms) / smaller if smaller else 0.0


def _worth(candidates: Sequence[Sentence]) -> dict[str, float]:
    """What each term is worth: the share of the other reviews that use it too."""
    spread = Counter(term for _, term in {(c.source, term) for c in candidates for term in c.terms})
    others = max(len({c.source for c in candidates}) - 1, 1)
    return {term: (count - 1) / others for term, count in spread.items()}


def _supporters(sentence: Sentence, candidates: Sequence[Sentence]) -> tuple[str, ...]:
    """Its own citation, then those of other reviews that say the same in the same tone."""
    others = (c for c in candidates if c.source != sentence.source and _agree(sentence, c))
    cites = dict.fromkeys([*sentence.cites, *(cite for c in others for cite in c.cites)])
    return tuple(cites)


def _agree(one: Sentence, other: Sentence) -> bool:
    """Whether two sentences of one aspect say the same; across aspects only where they are all but equal."""
    shared = len(one.terms & other.terms)
    if not shared or one.tone * other.tone < 0 or bool(one.tone) != bool(other.tone):
        return False
    if one.group != other.group:
        return shared >= SAME_ACROSS * len(one.terms | other.terms)
    smaller = min(len(one.terms), len(other.terms))
    return shared == smaller or (shared >= 2 and shared >= ALIKE * smaller)
