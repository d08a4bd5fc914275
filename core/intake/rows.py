"""Rows as the readers hand them over, and the lines they come from: length is capped before anything is parsed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from core.base.errors import UsageError
from core.intake.report import ImportLimits
from core.intake.source import BROKEN_FILE, Source

KNOWN = frozenset({"restaurant_id", "restaurant_name", "review_id", "text", "rating", "date", "author", "lang"})
_SKIP_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Row:
    """One record of the file: its first line number (from 1) and its cells by column name."""

    line: int
    cells: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The file cannot be read beyond this line: cut off, damaged, or over a cap."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Line:
    """One raw line; `data` None where it was too long to be read."""

    number: int
    data: bytes | None


def read_lines(file: BinaryIO, limits: ImportLimits) -> Iterator[Line | Broken]:
    """The file's lines with their ends; never more than a line's cap in memory."""
    number = total = 0
    while True:
        number += 1
        try:
            data, length = _capped_line(file, limits.max_line_bytes)
        except BROKEN_FILE as exc:
            yield Broken(number, damaged(exc))
            return
        if not length:
            return
        total += length
        if total > limits.max_bytes:
            yield Broken(number, f"the file is over the cap of {limits.max_bytes:,} bytes here: split it")
            return
        yield Line(number, data)


def _capped_line(file: BinaryIO, cap: int) -> tuple[bytes | None, int]:
    """The next line (None when longer than `cap`) and how many bytes it took; 0 at the end of the file."""
    data = file.readline(cap + 1)
    if len(data) <= cap or data.endswith(b"\n"):
        return data, len(data)
    length = len(data)
    while chunk := file.readline(_SKIP_BYTES):
        length += len(chunk)
        if chunk.endswith(b"\n"):
            break
    return None, length


def damaged(exc: Exception) -> str:
    """Why the file cannot be read any further."""
    return f"the file breaks off or is damaged here ({exc}): fetch it again"


def too_long(limits: ImportLimits) -> str:
    """Why a line over the cap is not read."""
    return f"the line is longer than {limits.max_line_bytes:,} bytes"


def column_names(source: Source, header: Iterable[str], needed: frozenset[str]) -> list[str]:
    """The header's names, ours in lower case; UsageError where one stands twice or a needed one is missing."""
    names = [low if (low := name.strip().lower()) in KNOWN else name.strip() for name in header]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"{source.path}:1: the column {twice[0]!r} stands twice in the header: rename one."
        raise UsageError(msg)
    missing = ", ".join(sorted(needed.difference(names)))
    if missing:
        found = ", ".join(names[:20])
        msg = f"{source.path}:1: no column {missing}: rename the columns (found: {found}) in the file's header."
        raise UsageError(msg)
    return names
