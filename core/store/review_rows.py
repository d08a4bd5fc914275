"""Reviews as rows: replaced by key, told apart by the hash of their text, marked once they are indexed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from core.base.records import Review
from core.store.codec import dump, load, mapping
from core.store.connection import Readers
from core.store.item_rows import haystack
from core.store.statements import Bulk

_PUT = Bulk(
    """INSERT INTO reviews (restaurant_id, review_id, text_hash, rating, date, author, lang, extra, file_tag, text)
    VALUES""",
    10,
    """ON CONFLICT (restaurant_id, review_id) DO UPDATE SET rating = excluded.rating, date = excluded.date,
    author = excluded.author, lang = excluded.lang, extra = excluded.extra, file_tag = excluded.file_tag,
    indexed_by = CASE WHEN text_hash = excluded.text_hash THEN indexed_by ELSE '' END,
    text_hash = excluded.text_hash, text = excluded.text""",
)
_RESTAURANT = Bulk("INSERT OR IGNORE INTO items (kind, id, name, haystack) VALUES", 4)
_COUNT = """UPDATE items SET reviews = (SELECT count(*) FROM reviews WHERE restaurant_id = items.id)
    WHERE kind = 'restaurant' AND id IN (SELECT value FROM json_each(?))"""
_SELECT = """SELECT v.n, v.restaurant_id, coalesce(i.name, ''), v.review_id, v.text, v.rating, v.date, v.author, v.lang,
    v.extra FROM reviews AS v LEFT JOIN items AS i ON i.kind = 'restaurant' AND i.id = v.restaurant_id"""
_PAIRS = "WITH wanted AS (SELECT value ->> 0 AS a, value ->> 1 AS b FROM json_each(?))"
_MARK = f"{_PAIRS} UPDATE reviews SET indexed_by = ? FROM wanted WHERE restaurant_id = a AND review_id = b"  # noqa: S608 - names are constants, values are bound

Key = tuple[str, str]


class Batch(NamedTuple):
    """Rows of reviews and of the restaurants that they are of."""

    reviews: list[tuple[Any, ...]]
    restaurants: list[tuple[str, str, str, str]]


def text_hash(text: str) -> str:
    """The SHA-256 of a review's text, in hex: how the catalogue tells texts apart."""
    return sha256(text.encode()).hexdigest()


def encode(reviews: Sequence[Review], file_tag: str) -> Batch:
    """Reviews as rows."""
    rows = [
        (
            r.restaurant_id,
            r.review_id,
            text_hash(r.text),
            r.rating,
            r.date,
            r.author,
            r.lang,
            mapping(r.extra) if r.extra else None,
            file_tag,
            r.text,
        )
        for r in reviews
    ]
    names = {r.restaurant_id: r.restaurant_name for r in reviews}
    return Batch(rows, [("restaurant", i, name, haystack(i, name, {})) for i, name in names.items()])


def put(db: sqlite3.Connection, batch: Batch) -> None:
    """Add or replace; the numbers of reviews follow."""
    _PUT.run(db, batch.reviews)
    _RESTAURANT.run(db, batch.restaurants)
    db.execute(_COUNT, (dump([row[1] for row in batch.restaurants]),))


def hashes(readers: Readers, keys: Sequence[Key]) -> dict[Key, str]:
    """Stored hashes by key."""
    sql = f"{_PAIRS} SELECT a, b, text_hash FROM wanted JOIN reviews ON restaurant_id = a AND review_id = b"  # noqa: S608 - names are constants, values are bound
    return {(row[0], row[1]): row[2] for row in readers.all(sql, dump(keys))}


def find_texts(readers: Readers, pairs: Sequence[Key]) -> dict[Key, str]:
    """The first review of a restaurant that has a text of that hash."""
    sql = f"""{_PAIRS} SELECT a, b, review_id FROM wanted
        JOIN reviews ON restaurant_id = a AND text_hash = b ORDER BY reviews.n DESC"""  # noqa: S608 - constants
    return {(row[0], row[1]): row[2] for row in readers.all(sql, dump(pairs))}


def find(readers: Readers, restaurant_id: str, review_id: str) -> Review | None:
    """A review by its key."""
    row = readers.one(f"{_SELECT} WHERE v.restaurant_id = ? AND v.review_id = ?", restaurant_id, review_id)
    return _review(row) if row else None


def of(readers: Readers, restaurant_id: str, limit: int, offset: int) -> list[Review]:
    """A restaurant's reviews by rowid."""
    sql = f"{_SELECT} WHERE v.restaurant_id = ? ORDER BY v.n LIMIT ? OFFSET ?"
    return [_review(row) for row in readers.all(sql, restaurant_id, limit, offset)]


def mark_indexed(db: sqlite3.Connection, keys: Sequence[Key], embedder: str) -> None:
    """Set the embedder of these reviews."""
    db.execute(_MARK, (dump(keys), embedder))


def unindexed(readers: Readers, embedder: str, after: int, limit: int) -> list[tuple[int, Review]]:
    """Reviews of another embedder or of none, by rowid; when there are none at all, that is known at once."""
    if not readers.value("SELECT EXISTS (SELECT 1 FROM reviews WHERE indexed_by < ?1 OR indexed_by > ?1)", embedder):
        return []
    sql = f"{_SELECT} WHERE v.n > ? AND +v.indexed_by <> ? ORDER BY v.n LIMIT ?"
    return [(row[0], _review(row)) for row in readers.all(sql, after, embedder, limit)]


def _review(row: sqlite3.Row) -> Review:
    _, restaurant_id, name, review_id, text, rating, date, author, lang, extra = row
    return Review(restaurant_id, name, review_id, text, rating, date, author, lang, load(extra) or {})
