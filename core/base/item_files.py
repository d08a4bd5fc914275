"""Items from a JSONL file: one JSON object per line, its `id` and `name` known, the rest the item's own fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import orjson

from core.base.errors import UsageError
from core.base.records import Item

_MOST_BYTES = 1_000_000
_ID = 200
_NAME = 500


def read_items(path: Path, kind: str, *, on_error: Callable[[str], None] | None = None) -> Iterator[Item]:
    """The items of a file in its order, read line by line.

    `id` may also be called `<kind>_id`, `name` `<kind>_name` (the id where there is none). A bad or repeated line is a
    UsageError `file:line: ...`; with `on_error` its text is given there, the line is skipped and the rest is read.
    """
    seen: set[str] = set()
    for number, line in _lines(Path(path)):
        try:
            item = _item(line, kind, seen)
        except UsageError as error:
            msg = f"{path}:{number}: {error}"
            if on_error is None:
                raise UsageError(msg) from error
            on_error(msg)
        else:
            seen.add(item.id)
            yield item


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if text.strip():
                    yield number, text
    except OSError as exc:
        msg = f"{path}:1: cannot be read ({exc.strerror or exc}). Check the path."
        raise UsageError(msg) from exc


def _item(line: bytes, kind: str, seen: set[str]) -> Item:
    fields = _object(line)
    item_id = _text(_take(fields, "id", kind))
    if not 0 < len(item_id) <= _ID or not item_id.isprintable():
        _refuse(f'the id {item_id[:80]!r} is no text of 1 to {_ID} printable characters. Give the item an "id".')
    if item_id in seen:
        _refuse(f"the id {item_id!r} is there twice. Keep one of the lines.")
    name = " ".join(_text(_take(fields, "name", kind)).split())[:_NAME]
    return Item(item_id, name or item_id, kind, fields)


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > _MOST_BYTES:
        _refuse(f"the line has {len(line)} bytes; at most {_MOST_BYTES} are read.")
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as exc:
        msg = f"not JSON ({exc}). Write one JSON object per line."
        raise UsageError(msg) from exc
    if not isinstance(value, dict):
        _refuse(f'a {type(value).__name__}, not an object. Write {{"id": ..., "name": ...}}.')
    return value


def _take(fields: dict[str, Any], key: str, kind: str) -> object:
    """Take `key` or `<kind>_key` out of the fields."""
    named = fields.pop(f"{kind}_{key}", None)
    own = fields.pop(key, None)
    return named if own is None else own


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()


def _refuse(message: str) -> NoReturn:
    raise UsageError(message)
