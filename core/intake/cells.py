"""One cell at a time: what a column may hold, and what is cleaned rather than refused."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import orjson

_ID_CHARS = 200
_SHORT_CHARS = 200
# Control characters, bidirectional overrides and invisible tag characters: nobody writes them, and they hide text.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060\u2066-\u2069\ufeff\U000e0000-\U000e007f]"
)


class BadCellError(ValueError):
    """A cell that makes its row unusable; the text says which and why."""


def clean(text: str) -> str:
    """The text in composed form, with plain line ends and without invisible characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _UNSEEN.search(text):
        text = _UNSEEN.sub("", text)
    return unicodedata.normalize("NFC", text).strip()


def id_cell(cells: Mapping[str, Any], name: str) -> str:
    """An id: text or a whole number, never empty, taken as it is."""
    value = cells.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or value == "":
        msg = f"{name} is missing"
        raise BadCellError(msg)
    if not isinstance(value, str):
        msg = f"{name} must be text or a whole number, not {_shown(value)}"
        raise BadCellError(msg)
    value = value.strip()
    if not value or len(value) > _ID_CHARS or not value.isprintable():
        msg = f"{name} must have 1 to {_ID_CHARS} printable characters, not {_shown(value)}"
        raise BadCellError(msg)
    return value


def text_cell(cells: Mapping[str, Any], name: str, most: int) -> str:
    """A text that has to be there, cleaned."""
    value = cells.get(name)
    if value is None:
        msg = f"{name} is missing"
        raise BadCellError(msg)
    text = _string(value, name, most)
    if not text:
        msg = f"{name} is empty"
        raise BadCellError(msg)
    return text


def short_cell(cells: Mapping[str, Any], name: str) -> str | None:
    """A short text or number that may be missing, cleaned."""
    value = cells.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return None if value is None else _string(value, name, _SHORT_CHARS) or None


def _string(value: Any, name: str, most: int) -> str:
    if not isinstance(value, str):
        msg = f"{name} must be text, not {_shown(value)}"
        raise BadCellError(msg)
    if len(value) > most:
        msg = f"{name} has {len(value):,} characters, more than {most:,}"
        raise BadCellError(msg)
    return clean(value)


def rating_cell(cells: Mapping[str, Any], highest: float) -> float | None:
    """A finite number from 0 to `highest`, or nothing."""
    value = cells.get("rating")
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    rating = _number(value)
    if rating is None or not math.isfinite(rating):
        msg = f"rating is not a number: {_shown(value)}"
        raise BadCellError(msg)
    if not 0 <= rating <= highest:
        msg = f"rating {rating:g} is not between 0 and {highest:g}"
        raise BadCellError(msg)
    return rating


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def extra_cells(cells: Mapping[str, Any], known: frozenset[str], most: int) -> dict[str, Any]:
    """The columns that are not ours, without the empty ones."""
    extra: dict[str, Any] = {}
    for name, value in cells.items():
        if name in known or value is None or value == "" or value != value:  # noqa: PLR0124 - NaN
            continue
        extra[clean(name)[:_SHORT_CHARS]] = (
            _string(value, name, most) if isinstance(value, str) else _plain(value, name, most)
        )
    return extra


def _plain(value: Any, name: str, most: int) -> Any:
    """A number as it is, a nested value unless it is deeper or larger than can be stored."""
    if not isinstance(value, dict | list):
        return value
    try:
        size = len(orjson.dumps(value))
    except TypeError as exc:
        msg = f"{name} cannot be stored ({exc})"
        raise BadCellError(msg) from exc
    if size > most:
        msg = f"{name} holds more than {most:,} characters"
        raise BadCellError(msg)
    return value


def _shown(value: Any) -> str:
    """A value as a message may quote it: on one line, and short."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
