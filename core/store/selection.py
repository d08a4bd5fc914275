"""What `--items` means: all, the first N, a list of ids, or a file of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson

from core.base.errors import UnknownError, UsageError
from core.store.codec import dump
from core.store.connection import Readers

_UNKNOWN = """SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM items WHERE kind = ?) LIMIT 6"""
FORMS = "Use all, a count, ids separated by commas, or @FILE with an id a line."


def select(readers: Readers, kind: str, spec: str) -> list[str]:
    """Ids of items that exist, each once, in the order given or that of their import."""
    spec = spec.strip()
    if spec == "all":
        return _first(readers, kind, -1)
    if spec.startswith("@"):
        return _known(readers, kind, _from_file(Path(spec[1:])))
    if _is_number(spec) and not _exists(readers, kind, spec):
        return _first(readers, kind, _count(spec))
    return _known(readers, kind, [part.strip() for part in spec.split(",") if part.strip()])


def _first(readers: Readers, kind: str, limit: int) -> list[str]:
    return [row[0] for row in readers.all("SELECT id FROM items WHERE kind = ? ORDER BY n LIMIT ?", kind, limit)]


def _is_number(spec: str) -> bool:
    return spec.removeprefix("-").isdecimal()


def _exists(readers: Readers, kind: str, item_id: str) -> bool:
    return readers.one("SELECT 1 FROM items WHERE kind = ? AND id = ?", kind, item_id) is not None


def _count(spec: str) -> int:
    count = int(spec)
    if count < 1:
        msg = f"{spec} items cannot be chosen; a count is at least 1. {FORMS}"
        raise UsageError(msg)
    return count


def _known(readers: Readers, kind: str, ids: Sequence[str]) -> list[str]:
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        msg = f"No items are chosen. {FORMS}"
        raise UsageError(msg)
    unknown = [row[0] for row in readers.all(_UNKNOWN, dump(wanted), kind)]
    if unknown:
        more = " (and more)" if len(unknown) > 5 else ""
        msg = (
            f"There is no {kind} {', '.join(map(repr, unknown[:5]))}{more}. "
            "The dashboard's first page lists what there is; `python -m core import FILE` adds more."
        )
        raise UnknownError(msg)
    return wanted


def _from_file(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        msg = f"The list of items {path} could not be read: {exc}."
        raise UsageError(msg) from exc
    return [_id_of(path, number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]


def _id_of(path: Path, number: int, line: str) -> str:
    if not line.startswith("{"):
        return line
    try:
        fields = orjson.loads(line)
        return str(fields["id"] if "id" in fields else fields["restaurant_id"])
    except (orjson.JSONDecodeError, KeyError) as exc:
        msg = f"{path}:{number}: neither an id nor a JSON object with `id` or `restaurant_id`: {line[:80]!r}."
        raise UsageError(msg) from exc
