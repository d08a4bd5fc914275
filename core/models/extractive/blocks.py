"""Reading the fenced data blocks out of a prompt. What a block holds is data, whatever it says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

_OPEN = re.compile(r'^<data id="([^"\n]{1,64})"([^<>\n]*)>[ \t]*$', re.MULTILINE)
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
_EVIDENCE = re.compile(r"\[(\d+)\]\s*(?:\(r(\d+)(?:\s*★\s*([\d.]+))?\)\s*)?(.*)")
_RESULT = re.compile(r"\[([^\]\n]+)\]\s*(.*)")
NOTHING_FOUND = "(nothing found)"


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its kind (evidence, results, parts, item), its part's id, all attributes, its lines."""

    kind: str
    part: str
    attributes: Mapping[str, str]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """A numbered sentence with the ordinal of its review and, where known, the review's rating."""

    number: int
    review: int
    rating: float | None
    text: str


def read_blocks(text: str) -> list[Block]:
    """The blocks of a prompt in order; a fence inside another block is that block's text, not a fence."""
    blocks: list[Block] = []
    position = 0
    while (opening := _OPEN.search(text, position)) is not None:
        closing = f'\n</data id="{opening[1]}">'
        end = text.find(closing, opening.end())
        end = len(text) if end < 0 else end
        blocks.append(_block(opening[2], text[opening.end() : end]))
        position = end + len(closing)
    return blocks


def without_blocks(text: str) -> str:
    """The prompt's own words: the text before the first fence, or all of it."""
    opening = _OPEN.search(text)
    return text[: opening.start()] if opening else text


def evidence_lines(block: Block) -> list[EvidenceLine]:
    """The sentences of an evidence block; a line that is none is left out."""
    found = (_EVIDENCE.match(line) for line in block.lines)
    return [_evidence(match) for match in found if match]


def result_texts(block: Block) -> list[tuple[str, str]]:
    """(id, text) of each earlier result; the text is empty where nothing was found."""
    results: list[tuple[str, str]] = []
    for line in block.lines:
        match = _RESULT.match(line)
        if match:
            results.append((match[1], match[2]))
        elif results:
            results[-1] = (results[-1][0], f"{results[-1][1]} {line}")
    return [(name, "" if text.strip() == NOTHING_FOUND else text) for name, text in results]


def json_lines(block: Block) -> list[dict[str, Any]]:
    """The JSON objects of a parts or item block; what does not parse is left out."""
    parsed = (_parse(line) for line in block.lines)
    return [value for value in parsed if isinstance(value, dict)]


def _block(attributes: str, body: str) -> Block:
    found = dict(_ATTRIBUTE.findall(attributes))
    lines = tuple(line for line in body.split("\n") if line.strip())
    return Block(found.get("kind", ""), found.get("part", ""), found, lines)


def _evidence(match: re.Match[str]) -> EvidenceLine:
    number = int(match[1])
    return EvidenceLine(number, int(match[2] or number), _rating(match[3]), match[4])


def _rating(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _parse(line: str) -> object:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
