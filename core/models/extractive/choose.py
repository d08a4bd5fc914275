"""Choosing sentences: what several reviewers agree on, in proportion to how they feel, without saying a thing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from core.models.extractive import lexicon
from core.models.extractive.sentence import Sentence

SAME = 0.6  # share of the smaller sentence's terms from which two sentences say the same
ALIKE = 0.5  # ... from which one supports the other
MINORITY = 0.2  # share of the reviewers below which a dissenting view is an outlier


@dataclass(frozen=True, slots=True)
class Taste:
    """How candidates weigh: words and sentences wanted in all; the worth of what is wanted, the price of what is not."""

    words: int
    sentences: int
    ideal: int = 12
    generic: float = 0.4
    consensus: float = 1.0
    form: float = 1.0
    personal: float = 0.25
    short: float = 0.05
    long: float = 0.01
    rank: float = 0.1
    support: float = 0.0
    covered: float = 0.2
    damp: float = 0.5
    bulk: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A chosen sentence with the citations of those that support it (its own first)."""

    sentence: Sentence
    cites: tuple[str, ...]


def choose(candidates: Sequence[Sentence], taste: Taste) -> list[Choice]:
    """The best sentences, best first, within the taste's words; empty only without candidates."""
    worth = _worth(candidates, taste)
    fixed = _fixed(candidates, taste)
    minority, share = _minority(candidates)
    left = list(range(len(candidates)))
    chosen: list[int] = []
    said: set[str] = set()
    while left and len(chosen) < taste.sentences:
        room = taste.words - sum(candidates[c].words for c in chosen)
        allowed = [
            i
            for i in left
            if (candidates[i].words <= room or not chosen)
            and _balanced(candidates[i], [candidates[c] for c in chosen], minority, share)
        ]
        if not allowed:
            break
        best = max(allowed, key=lambda i: fixed[i] + _gain(candidates[i], worth, said, taste))
        chosen.append(best)
        said |= candidates[best].terms
        left = [i for i in left if i != best and overlap(candidates[i], candidates[best]) < SAME]
    return [Choice(candidates[i], _supporters(candidates[i], candidates)) for i in chosen]


def overlap(one: Sentence, other: Sentence) -> float:
    """The share of the smaller sentence's terms that both have, 0..1."""
    smaller = min(len(one.terms), len(other.terms))
    return len(one.terms & other.terms) / smaller if smaller else 0.0


def _gain(candidate: Sentence, worth: Mapping[str, float], said: Set[str], taste: Taste) -> float:
    total = sum(worth[t] * (taste.covered if t in said else 1.0) for t in candidate.terms)
    return taste.consensus * total / float((len(candidate.terms) + 2) ** taste.damp)


def _fixed(candidates: Sequence[Sentence], taste: Taste) -> list[float]:
    last = max((c.order for c in candidates), default=0) + 1
    return [
        taste.form * c.form - taste.personal * c.personal + taste.rank * (1 - c.order / last)
        + taste.support * min(len(c.cites), 5)
        - taste.long * max(c.words - taste.ideal, 0) - taste.short * max(5 - c.words, 0)
        for c in candidates
    ]


def _worth(candidates: Sequence[Sentence], taste: Taste) -> dict[str, float]:
    """What each term is worth: the share of the other reviews that use it, less where every place is called so."""
    spread: Counter[str] = Counter()
    if taste.bulk:
        for c in candidates:
            for t in c.terms:
                spread[t] += max(len(c.cites), 1)
        others = max(sum(len(c.cites) for c in candidates) / 3 , 2)
    else:
        spread = Counter(term for _, term in {(c.source, term) for c in candidates for term in c.terms})
        others = max(len({c.source for c in candidates}) - 1, 1)
    return {t: (n - 1) / others * (taste.generic if t in lexicon.GENERIC else 1.0) for t, n in spread.items()}


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
