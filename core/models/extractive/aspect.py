"""One block of evidence becomes an aspect's summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from core.models.extractive import hostile, topics
from core.models.extractive.blocks import Block, EvidenceLine, evidence_lines
from core.models.extractive.choose import Choice, Taste, choose
from core.models.extractive.sentence import Sentence, read
from core.models.extractive.sift import attacks, usable
from core.models.extractive.wording import cited, nothing_clear, within

TASTE = Taste(words=80, sentences=5, long=0.02, short=0.03, tone=0.0)
OUTLINE = replace(TASTE, each=3, concrete=0.2)
COPIED = 4  # words above which two reviewers do not hit upon the very same sentence
MIXED = 0.15  # what a sentence loses that speaks of other aspects as well


def summarise_aspect(block: Block, tokens: int) -> str:
    """What the reviews agree on, each sentence with the numbers `[n]` of those that say so, its own first."""
    candidates = candidates_of(block)
    if topics.known(block.part):
        candidates = _of_the_aspect(candidates, block.part)
    return within(cited(choose(candidates, TASTE)), tokens) or nothing_clear(block)


def outline(block: Block) -> list[Choice]:
    """What a total should hear of a block: the best of all its sentences, whatever aspect they speak of."""
    return choose(candidates_of(block), OUTLINE)


def candidates_of(block: Block) -> list[Sentence]:
    """The usable sentences; nothing of a review in which a model is instructed, and no copies."""
    lines = evidence_lines(block)
    poisoned = {line.review for line in lines if hostile.instructs(line.text)}
    honest = [(order, line) for order, line in enumerate(lines) if line.review not in poisoned]
    return _without_copies([candidate for order, line in honest for candidate in _of(line, order)])


def _of(line: EvidenceLine, order: int) -> list[Sentence]:
    cites, source = (f"[{line.number}]",), str(line.review)
    return [replace(c, cites=cites, source=source, order=order) for c in _read(line.text, line.rating)]


@lru_cache(maxsize=4096)
def _read(text: str, rating: float | None) -> tuple[Sentence, ...]:
    """The candidates in one line's text; a total reads the lines that the aspects read."""
    told = () if attacks(text) else usable(text)
    return tuple(read(said, cites=(), source="", order=0, rating=rating) for said in told)


def _without_copies(candidates: list[Sentence]) -> list[Sentence]:
    """A longer sentence pasted into several reviews is one voice, not agreement."""
    kept: dict[object, Sentence] = {}
    for candidate in candidates:
        copied = candidate.text.casefold() if candidate.words > COPIED else id(candidate)
        kept.setdefault(copied, candidate)
    return list(kept.values())


def _of_the_aspect(candidates: Sequence[Sentence], part: str) -> list[Sentence]:
    """Those that speak of the part, without what they list beside it.

    A general remark counts as one of them as long as worse ranked sentences do; behind the last of them it is padding.
    """
    found = [(candidate, topics.topics(candidate.text)) for candidate in candidates]
    none = len(found) if part in topics.UNNAMED else -1
    last = max((candidate.order for candidate, named in found if part in named), default=none)
    return [
        _narrowed(candidate, part, named)
        for candidate, named in found
        if part in named or (not named and candidate.order < last)
    ]


def _narrowed(candidate: Sentence, part: str, named: frozenset[str]) -> Sentence:
    if len(named) < 2:
        return candidate
    text = topics.about(candidate.text, part)
    if text == candidate.text:
        return replace(candidate, form=candidate.form - MIXED)
    return read(text, cites=candidate.cites, source=candidate.source, order=candidate.order)
