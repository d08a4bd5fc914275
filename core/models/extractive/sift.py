"""From raw text to sentences worth weighing: clean, whole, about the place, and no attack."""

from __future__ import annotations

import re

from core.models.extractive import form, hostile
from core.models.extractive.tidy import plain, sentences, tidy

_SCORES = re.compile(r"\d(?:\.\d)?\s*/\s*(?:5|10)\b")
_FEWEST_LETTERS = 4


def attacks(raw: str) -> bool:
    """Whether a text, as written or as read, talks to a model."""
    return hostile.to_a_model(raw) or (not raw.isascii() and hostile.to_a_model(plain(raw)))


def usable(raw: str) -> list[str]:
    """The tidy statements in a raw text; questions, orders and bare scores are left out."""
    told = (tidy(s) for s in sentences(plain(raw)) if not hostile.to_the_reader(s))
    return [c for s in told for c in (_clauses(s) if s else ()) if _tells(c)]


def _clauses(sentence: str) -> list[str]:
    parts = form.clauses(sentence)
    return parts if parts == [sentence] else [tidy(part) for part in parts]


def _tells(sentence: str) -> bool:
    if sum(map(str.isalpha, sentence)) < _FEWEST_LETTERS or _SCORES.search(sentence):
        return False
    return not hostile.to_the_reader(sentence)
