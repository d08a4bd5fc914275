"""One block of evidence becomes an aspect's summary."""

from __future__ import annotations

from core.models.extractive import hostile
from core.models.extractive.blocks import Block, EvidenceLine, evidence_lines
from core.models.extractive.choose import Taste, choose
from core.models.extractive.sentence import Sentence, read
from core.models.extractive.sift import attacks, usable
from core.models.extractive.wording import cited, nothing_clear, within

TASTE = Taste(words=80, sentences=5, long=0.02)
COPIED = 4  # words above which two reviewers do not hit upon the very same sentence


def summarise_aspect(block: Block, tokens: int) -> str:
    """What the reviews agree on, each sentence with the numbers `[n]` of those that say so, its own first."""
    candidates = _without_copies(_candidates(evidence_lines(block)))
    return within(cited(choose(candidates, TASTE)), tokens) or nothing_clear(block)


def _candidates(lines: list[EvidenceLine]) -> list[Sentence]:
    """The usable sentences; nothing of a review in which a model is instructed."""
    poisoned = {line.review for line in lines if hostile.instructs(line.text)}
    return [
        read(text, cites=(f"[{line.number}]",), source=str(line.review), order=order, rating=line.rating)
        for order, line in enumerate(lines)
        if line.review not in poisoned and not attacks(line.text)
        for text in usable(line.text)
    ]


def _without_copies(candidates: list[Sentence]) -> list[Sentence]:
    """A longer sentence pasted into several reviews is one voice, not agreement."""
    kept: dict[object, Sentence] = {}
    for candidate in candidates:
        copied = candidate.text.casefold() if candidate.words > COPIED else id(candidate)
        kept.setdefault(copied, candidate)
    return list(kept.values())
