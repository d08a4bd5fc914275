"""Making foreign text harmless as data: one line, no fence, no marker, nothing invisible, never longer than a cap."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

SENTENCE = 500
RESULT = 4000
FIELD = 2000
INLINE = 80
_DEEPEST = 6
_MOST_ENTRIES = 100

# Control, zero-width, bidi, tag and variation-selector characters; line and paragraph separators; lone surrogates.
_INVISIBLE = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff"
)
_STRIP = re.compile(f"[{_INVISIBLE}]+")
_SUSPECT = re.compile(rf"[{_INVISIBLE}\t-\r\x1c-\x1f\x85\u2028\u2029<\[\]【】［］＜﹤]")
_TAG = re.compile(r"[<＜﹤](?=\s*[/／]?\s*data)", re.IGNORECASE)
_BRACKETS = str.maketrans("[]【】［］", "()()()")
_INLINE = str.maketrans('<>{}"`', "‹›()''")


def sentence(text: str, most: int = SENTENCE) -> str:
    """A reviewer's or a model's words on one line: no `<data`, and no square brackets, which are ours."""
    if len(text) <= most and _is_plain(text):
        return text.strip()
    return " ".join(_tagless(text[: 4 * most]).translate(_BRACKETS).split())[:most]


def visible(text: str) -> str:
    """The text without control, zero-width and direction characters; its lines stay."""
    return _STRIP.sub("", text) if _STRIP.search(text) else text


def inline(text: str) -> str:
    """A name within the instructions: short, without anything that could look like markup or a placeholder."""
    return " ".join(sentence(text, INLINE).translate(_INLINE).split())


def json_line(value: Mapping[str, Any]) -> str:
    """A JSON object on one line; long texts are cut, what is no JSON becomes text."""
    return orjson.dumps(_plain(value, _DEEPEST)).decode()


def _is_plain(text: str) -> bool:
    """Whether there is nothing to do; ASCII, the most of it, needs no regular expression."""
    if text.isascii():
        return text.isprintable() and "<" not in text and "[" not in text and "]" not in text
    return _SUSPECT.search(text) is None


def _tagless(text: str) -> str:
    """Without what cannot be seen, and without the opening of a fence."""
    return _TAG.sub("‹", _STRIP.sub("", text))


def _plain(value: Any, deep: int) -> Any:
    if isinstance(value, str):
        is_plain = len(value) <= FIELD and _is_plain(value)
        return value if is_plain else " ".join(_tagless(value[:FIELD]).split())
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)
    if deep and isinstance(value, Mapping):
        return {sentence(str(k), INLINE): _plain(v, deep - 1) for k, v in list(value.items())[:_MOST_ENTRIES]}
    if deep and isinstance(value, list | tuple):
        return [_plain(v, deep - 1) for v in value[:_MOST_ENTRIES]]
    return sentence(str(value))
