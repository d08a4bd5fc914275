"""JSON Lines, one object a line; a small .json file that holds one array is taken apart first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

from core.base.errors import UsageError
from core.intake.report import ImportLimits
from core.intake.rows import BadRow, Broken, Row, damaged, read_lines, too_long
from core.intake.source import BROKEN_FILE, Source

_BOM = b"\xef\xbb\xbf"
_HEAD_BYTES = 4096


def jsonl_rows(source: Source, limits: ImportLimits) -> Iterator[Row | BadRow | Broken]:
    """Each line's object; blank lines are skipped. UsageError for one array too large to be read whole."""
    with source.open() as file:
        if _holds_array(file):
            yield from _array_rows(source, file, limits)
            return
        for line in read_lines(file, limits):
            if isinstance(line, Broken):
                yield line
            elif line.data is None:
                yield BadRow(line.number, too_long(limits))
            elif data := line.data.removeprefix(_BOM if line.number == 1 else b"").strip():
                yield _row(line.number, data, limits)


def _holds_array(file: BinaryIO) -> bool:
    """Whether the file begins as an array of objects; leaves it at its beginning."""
    try:
        head = file.read(_HEAD_BYTES).removeprefix(_BOM).lstrip()
        file.seek(0)
    except BROKEN_FILE:
        return False  # reading its lines will say where it is damaged
    return head.startswith(b"[") and head[1:].lstrip()[:1] in (b"{", b"]", b"")


def _row(number: int, data: bytes, limits: ImportLimits) -> Row | BadRow:
    try:
        return _object(number, orjson.loads(data), limits)
    except orjson.JSONDecodeError as exc:
        return BadRow(number, _why_not_json(data, exc))


def _why_not_json(data: bytes, exc: orjson.JSONDecodeError) -> str:
    """A line's fault in plain words: its bytes are no UTF-8, or it is no JSON."""
    try:
        data.decode()
    except UnicodeDecodeError as wrong:
        return f"not valid UTF-8 at byte {wrong.start + 1}: save the file as UTF-8"
    return f"not valid JSON: {exc.msg} at column {exc.colno}"


def _object(number: int, value: Any, limits: ImportLimits) -> Row | BadRow:
    if not isinstance(value, dict):
        return BadRow(number, f"the line holds {_kind(value)} where an object is needed")
    if len(value) > limits.max_columns:
        return BadRow(number, f"{len(value)} columns, more than {limits.max_columns}")
    return Row(number, value)


def _kind(value: Any) -> str:
    return {list: "an array", str: "a text", bool: "a truth value", type(None): "null"}.get(type(value), "a number")


def _array_rows(source: Source, file: BinaryIO, limits: ImportLimits) -> Iterator[Row | BadRow | Broken]:
    """The entries of a file that is one array; their number in it stands for the line number."""
    try:
        data = file.read(limits.max_array_bytes + 1)
    except BROKEN_FILE as exc:
        yield Broken(1, damaged(exc))
        return
    if len(data) > limits.max_array_bytes:
        msg = (
            f"{source.path} is one JSON array of more than {limits.max_array_bytes:,} bytes, which would have to be "
            f"read whole: turn it into JSON Lines (jq -c '.[]' {source.path.name} > reviews.jsonl)."
        )
        raise UsageError(msg)
    try:
        values = orjson.loads(data.removeprefix(_BOM))
    except orjson.JSONDecodeError as exc:
        msg = f"{source.path}:{exc.lineno}: not valid JSON ({exc.msg}): mend it, or export it as JSON Lines."
        raise UsageError(msg) from exc
    for number, value in enumerate(values, start=1):
        yield _object(number, value, limits)
