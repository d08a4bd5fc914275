"""Items as rows: merged on import, found by key."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.base.records import Item
from core.store.codec import load, mapping
from core.store.connection import Readers
from core.store.statements import Bulk

_PUT = Bulk(
    "INSERT INTO items (kind, id, name, fields, reviews, haystack) VALUES",
    6,
    """ON CONFLICT (kind, id) DO UPDATE SET name = coalesce(nullif(excluded.name, ''), name),
    fields = json_patch(fields, excluded.fields), reviews = max(reviews, excluded.reviews),
    haystack = haystack(id, coalesce(nullif(excluded.name, ''), name), json_patch(fields, excluded.fields))""",
)

Row = tuple[str, str, str, str, int, str]


def encode(items: Sequence[Item]) -> list[Row]:
    """Items as rows."""
    return [(i.kind, i.id, i.name, mapping(i.fields), i.reviews, haystack(i.id, i.name, i.fields)) for i in items]


def put(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Add or merge."""
    _PUT.run(db, rows)


def find(readers: Readers, kind: str, item_id: str) -> Item | None:
    """An item by its key."""
    row = readers.one("SELECT id, name, kind, fields, reviews FROM items WHERE kind = ? AND id = ?", kind, item_id)
    return Item(row["id"], row["name"], row["kind"], load(row["fields"]), row["reviews"]) if row else None


def haystack(item_id: str, name: str, fields: Mapping[str, Any]) -> str:
    """What a search looks through: id, name and the values of the fields, case-folded."""
    return fold(" \n".join([item_id, name, *_texts(fields.values())]))


def fold(text: str) -> str:
    """Text as it is compared: composed and case-folded, in Korean and English alike."""
    return unicodedata.normalize("NFC", text).casefold()


def define_haystack(db: sqlite3.Connection) -> None:
    """Make `haystack(id, name, fields)` known to SQL on that connection."""
    db.create_function("haystack", 3, lambda i, name, fields: haystack(i, name, load(fields)), deterministic=True)


def _texts(values: Iterable[Any]) -> list[str]:
    found: list[str] = []
    for value in values:
        if isinstance(value, Mapping):
            found += _texts(value.values())
        elif isinstance(value, (list, tuple)):
            found += _texts(value)
        elif value is not None:
            found.append(str(value))
    return found
