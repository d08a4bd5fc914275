"""CSV, strictly parsed. A row that goes wrong costs itself only: the lines it swallowed are read again."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator

from core.base.errors import UsageError
from core.intake.report import ImportLimits
from core.intake.rows import BadRow, Broken, Line, Row, column_names, read_lines, too_long
from core.intake.source import Source

_DELIMITERS = ",;\t"


class BadLineError(Exception):
    """A line that cannot be part of any row."""


class RecordLines:
    """The lines as text for the CSV parser, which remembers what the current record took, to give it back."""

    def __init__(self, lines: Iterator[Line | Broken], limits: ImportLimits) -> None:
        self._lines = lines
        self._limits = limits
        self._again: deque[Line] = deque()
        self.taken: list[Line] = []
        self.broken: Broken | None = None
        self._bytes = 0

    def __iter__(self) -> RecordLines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        self.taken.append(line)
        self._bytes += len(line.data or b"")
        return self._text(line)

    def _read(self) -> Line:
        line = next(self._lines)
        if isinstance(line, Broken):
            self.broken = line
            raise StopIteration
        return line

    def _text(self, line: Line) -> str:
        if line.data is None or self._bytes > self._limits.max_line_bytes:
            raise BadLineError(too_long(self._limits))
        try:
            return line.data.decode("utf-8-sig" if line.number == 1 else "utf-8")
        except UnicodeDecodeError as exc:
            msg = f"not valid UTF-8 at byte {exc.start + 1}: save the file as UTF-8"
            raise BadLineError(msg) from exc

    def begin(self) -> None:
        """A new record begins."""
        self.taken.clear()
        self._bytes = 0

    def give_back(self) -> None:
        """Read all but the record's first line once more: they were swallowed by its fault."""
        self._again.extendleft(reversed(self.taken[1:]))


def csv_rows(source: Source, limits: ImportLimits, needed: frozenset[str]) -> Iterator[Row | BadRow | Broken]:
    """Each record under the header's names; UsageError where the header cannot be used."""
    with source.open() as file:
        lines = RecordLines(read_lines(file, limits), limits)
        delimiter, header = _header(source, lines, limits, needed)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        while (row := _next_row(reader, lines, header)) is not None:
            if not isinstance(row, Row) or row.cells:
                yield row
        if lines.broken is not None:
            yield lines.broken


def _header(source: Source, lines: RecordLines, limits: ImportLimits, needed: frozenset[str]) -> tuple[str, list[str]]:
    """The delimiter and the column names in the file's first line."""
    try:
        text = next(lines, "")
        delimiter = max(_DELIMITERS, key=text.count)
        names = next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except (BadLineError, csv.Error) as exc:
        msg = f"{source.path}:1: the header cannot be read ({exc})."
        raise UsageError(msg) from exc
    if lines.broken is not None:
        msg = f"{source.path}: {lines.broken.reason}."
        raise UsageError(msg)
    if len(names) > limits.max_columns:
        msg = f"{source.path}:1: {len(names)} columns, more than {limits.max_columns}: leave out what is not needed."
        raise UsageError(msg)
    return delimiter, column_names(source, names, needed)


def _next_row(reader: Iterator[list[str]], lines: RecordLines, header: list[str]) -> Row | BadRow | None:
    """The next record, a Row without cells for a blank line, or None at the end of the file."""
    lines.begin()
    try:
        cells = next(reader, None)
    except (BadLineError, csv.Error) as exc:
        return _spoilt(lines, str(exc))
    if cells is None:
        return _spoilt(lines, "its quote is never closed") if lines.taken else None
    number = lines.taken[0].number
    if not cells:
        return Row(number, {})
    if len(cells) != len(header):
        return _spoilt(lines, f"{len(cells)} cells where the header has {len(header)}")
    return Row(number, dict(zip(header, cells, strict=True)))


def _spoilt(lines: RecordLines, reason: str) -> BadRow:
    """The record's first line is bad; what it swallowed is not."""
    lines.give_back()
    taken = lines.taken
    where = "" if len(taken) == 1 else f" (its quoted cell runs on to line {taken[-1].number})"
    return BadRow(taken[0].number, reason + where)
