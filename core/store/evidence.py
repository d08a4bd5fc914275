"""The sentences behind results: stored once with the search that found them, named by the texts that used them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from core.base.records import Evidence
from core.store.codec import dump, load, load_evidence
from core.store.connection import Readers

_FOUND = """SELECT item_id, part, evidence FROM results
    WHERE run_id = ? AND item_id IN (SELECT value FROM json_each(?)) AND evidence IS NOT NULL"""
_REVIEWS = """SELECT restaurant_id, review_id, text, author, rating, date FROM json_each(?) AS wanted
    JOIN reviews ON restaurant_id = wanted.value ->> 0 AND review_id = wanted.value ->> 1"""

Sentence = tuple[str, int]
Found = dict[tuple[str, str], dict[Sentence, Evidence]]
WithEvidence = list[tuple[sqlite3.Row, tuple[Evidence, ...]]]


def with_evidence(readers: Readers, run_id: str, rows: Sequence[sqlite3.Row]) -> WithEvidence:
    """Each result row with its evidence: a search's own, or what a text used of its part's search, of any search of
    its item, or (where there was none) of the catalogue's reviews."""
    items = {row["item_id"] for row in rows if row["used"] is not None}
    found = _found(readers.all(_FOUND, run_id, dump(sorted(items)))) if items else {}
    lost = {(row["item_id"], name[0]) for row in rows for name in _used(row) if _look_up(found, row, name) is None}
    reviews = _reviews(readers, lost) if lost else {}
    return [(row, _evidence(row, found, reviews)) for row in rows]


def _found(rows: Iterable[sqlite3.Row]) -> Found:
    """Sentences by item and part, and by item with '' for all parts."""
    found: Found = {}
    for row in rows:
        for evidence in load_evidence(row["evidence"]):
            for part in {row["part"], ""}:
                sentences = found.setdefault((row["item_id"], part), {})
                sentences.setdefault((evidence.review_id, evidence.position), evidence)
    return found


def _used(row: sqlite3.Row) -> list[Sentence]:
    return [(review_id, position) for review_id, position in load(row["used"]) or ()]


def _look_up(found: Found, row: sqlite3.Row, name: Sentence) -> Evidence | None:
    own = found.get((row["item_id"], row["part"]), {}).get(name)
    return own or found.get((row["item_id"], ""), {}).get(name)


def _reviews(readers: Readers, keys: set[tuple[str, str]]) -> dict[tuple[str, str], Evidence]:
    rows = readers.all(_REVIEWS, dump(sorted(keys)))
    return {(item, review): Evidence(review, text, 0.0, 0, *rest) for item, review, text, *rest in rows}


def _evidence(row: sqlite3.Row, found: Found, reviews: dict[tuple[str, str], Evidence]) -> tuple[Evidence, ...]:
    if row["evidence"] is not None:
        return load_evidence(row["evidence"])
    return tuple(
        _look_up(found, row, name) or reviews.get((row["item_id"], name[0])) or Evidence(name[0], "", 0.0, name[1])
        for name in _used(row)
    )
