"""Choosing sentences: what several reviewers agree on, in proportion to how they feel, without saying a thing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.models.extractive.sentence import Sentence

SAME = 0.6  # share of the smaller sentence's terms from which two sentences say the same
ALIKE = 0.5  # ... from which one supports the other
MINORITY = 0.2  # share of the reviewers below which a dissenting view is an outlier


@dataclass(frozen=True, slots=True)
class Taste:
    """How candidates weigh: words wanted in a sentence, in all, and the price of what is not wanted."""

    words: int
    sentences: int
    ideal: int = 11
    personal: float = 0.5
    long: float = 0.03
    rank: float = 0.25
    repeat: float = 0.6
    support: float = 0.0


@dataclass(frozen=True, slots=True)
class Choice:
    """A chosen sentence with the citations of those that support it (its own first)."""

    sentence: Sentence
    cites: tuple[str, ...]


def choose(candidates: Sequence[Sentence], taste: Taste) -> list[Choice]:
    """The best sentences, best first, within the taste's words; empty only without candidates."""
    scores = _scores(candidates, taste)
    minority, share = _minority(candidates)
    left = sorted(range(len(candidates)), key=lambda i: (-scores[i], candidates[i].order))
    chosen: list[int] = []
    while left and len(chosen) < taste.sentences:
        allowed = [i for i in left if _balanced(candidates[i], [candidates[c] for c in chosen], minority, share)]
        room = taste.words - sum(candidates[c].words for c in chosen)
        allowed = [i for i in allowed if candidates[i].words <= room or not chosen]
        if not allowed:
            break
        best = max(allowed, key=lambda i: scores[i] - taste.repeat * _repeats(candidates, i, chosen))
        chosen.append(best)
        left = [i for i in left if i != best and overlap(candidates[i], candidates[best]) < SAME]
    return [Choice(candidates[i], _supporters(candidates[i], candidates)) for i in chosen]


def overlap(one: Sentence, other: Sentence) -> float:
    """The share of the smaller sentence's terms that both have, 0..1."""
    smaller = min(len(one.terms), len(other.terms))
    return len(one.terms & other.terms) / smaller if smaller else 0.0


def _scores(candidates: Sequence[Sentence], taste: Taste) -> list[float]:
    spread = _spread(candidates)
    sources = max(len({c.source for c in candidates}), 2)
    last = max((c.order for c in candidates), default=0) + 1
    return [_score(c, spread, sources, taste) + taste.rank * (1 - c.order / last) for c in candidates]


def _score(candidate: Sentence, spread: Counter[str], sources: int, taste: Taste) -> float:
    agreed = sum(spread[term] - 1 for term in candidate.terms) / (sources - 1)
    consensus = agreed / (len(candidate.terms) + 2) ** 0.5
    excess = max(candidate.words - taste.ideal, 0) + 3 * max(4 - candidate.words, 0)
    support = taste.support * min(len(candidate.cites), 5)
    return consensus + support - taste.personal * candidate.personal - taste.long * excess


def _spread(candidates: Sequence[Sentence]) -> Counter[str]:
    """In how many reviews each term stands."""
    seen = {(c.source, term) for c in candidates for term in c.terms}
    return Counter(term for _, term in seen)


def _minority(candidates: Sequence[Sentence]) -> tuple[int, float]:
    """(the sign of the rarer view, its share of the reviewers who have one)."""
    views: dict[str, float] = {}
    for candidate in candidates:
        views[candidate.source] = views.get(candidate.source, 0.0) + candidate.tone
    good, bad = sum(v > 0 for v in views.values()), sum(v < 0 for v in views.values())
    share = min(good, bad) / max(good + bad, 1)
    return (-1 if bad <= good else 1), (share if share >= MINORITY else 0.0)


def _balanced(candidate: Sentence, chosen: Sequence[Sentence], minority: int, share: float) -> bool:
    if candidate.tone * minority <= 0:
        return True
    said = sum(c.tone * minority > 0 for c in chosen)
    return said + 1 <= share * (len(chosen) + 1) + 0.5


def _repeats(candidates: Sequence[Sentence], index: int, chosen: Sequence[int]) -> float:
    return max((overlap(candidates[index], candidates[c]) for c in chosen), default=0.0)


def _supporters(sentence: Sentence, candidates: Sequence[Sentence]) -> tuple[str, ...]:
    """Its own citation, then those of other reviews that say the same in the same tone."""
    others = (c for c in candidates if c.source != sentence.source and _agree(sentence, c))
    cites = dict.fromkeys([*sentence.cites, *(cite for c in others for cite in c.cites)])
    return tuple(cites)


def _agree(one: Sentence, other: Sentence) -> bool:
    return one.tone * other.tone >= 0 and overlap(one, other) >= ALIKE and len(one.terms & other.terms) > 0


def merged(candidates: Sequence[Sentence]) -> list[Sentence]:
    """Without literal repetitions: the first of them keeps the citations of all."""
    kept: dict[str, Sentence] = {}
    for candidate in candidates:
        key = candidate.text.casefold()
        if key in kept:
            both = tuple(dict.fromkeys(kept[key].cites + candidate.cites))
            kept[key] = replace(kept[key], cites=both)
        else:
            kept[key] = candidate
    return list(kept.values())
