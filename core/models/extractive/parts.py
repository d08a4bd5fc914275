"""A part or an item told in its own words: its titles, then the first sentences of its longest descriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.models.extractive import hostile
from core.models.extractive.tidy import plain, sentences
from core.models.extractive.wording import clipped, within

TITLE = 30  # characters up to which a field is a title
SENTENCES = 3


def describe(fields: Mapping[str, Any], tokens: int) -> str:
    """A short text within the tokens, of nothing but the fields' own words."""
    texts = [plain(text) for key, value in fields.items() if key != "id" for text in _texts(key, value)]
    texts = [kept for text in texts if (kept := " ".join(s for s in sentences(text) if not hostile.instructs(s)))]
    title = ", ".join([text for text in texts if len(text) < TITLE][:3])
    long = sorted((text for text in texts if len(text) >= TITLE), key=len, reverse=True)
    told = [s.strip() for text in long for s in sentences(text) if not s.rstrip().endswith("?")][:SENTENCES]
    told[:1] = [f"{title}: {told[0]}" if title else told[0]] if told else [f"{title}." if title else ""]
    return clipped(within(told, tokens), tokens)


def _texts(key: str, value: object) -> list[str]:
    """The texts in a field's value; a flag that is set is its own name."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for entry in value for text in _texts(key, entry)]
    if isinstance(value, dict):
        return [text for name, entry in value.items() for text in _texts(name, entry)]
    return [key.replace("_", " ")] if value is True else []
