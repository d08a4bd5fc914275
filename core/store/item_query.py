"""Looking through items: search, filters, order and paging, alone or inside a run."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.base.errors import UsageError
from core.base.records import ItemStatus
from core.base.views import ItemPage, ItemView
from core.store.codec import load
from core.store.connection import Readers
from core.store.item_rows import fold

ORDERS = {
    "name": "i.name COLLATE NOCASE",
    "id": "i.id",
    "reviews": "i.reviews",
    "city": "json_extract(i.fields, '$.city')",
}
FLAGS = ("fallback", "truncated")  # the flags of results that items of a run can be found by; each has an index
RUN_ORDERS = {"status": "r.status", "finished": "r.finished_s", "position": "r.position"}


@dataclass(frozen=True, slots=True)
class ItemQuery:
    """Which items are wanted."""

    kind: str
    search: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    run_id: str | None = None
    status: ItemStatus | None = None
    flag: str | None = None

    def source(self) -> str:
        """The FROM clause."""
        return "items AS i" if self.run_id is None else "run_items AS r JOIN items AS i ON i.id = r.item_id"

    def conditions(self) -> tuple[str, list[Any]]:
        """The WHERE clause and its values."""
        parts: list[tuple[str, list[Any]]] = [("i.kind = ?", [self.kind])]
        if self.run_id is not None:
            parts.append(("r.run_id = ?", [self.run_id]))
        if self.run_id is not None and self.status is not None:
            parts.append(("r.status = ?", [ItemStatus(self.status).value]))
        if self.run_id is not None and self.flag is not None:
            parts.append((f"r.item_id IN ({_flagged(self.flag)})", [self.run_id]))
        if self.search.strip():
            parts.append(("instr(i.haystack, ?)", [fold(self.search.strip())]))
        for name, value in self.filters.items():
            condition = "EXISTS (SELECT 1 FROM json_each(i.fields, ?) AS f WHERE CAST(f.value AS TEXT) = ?)"
            parts.append((condition, [json_path(name), value]))
        return " AND ".join(sql for sql, _ in parts), [value for _, values in parts for value in values]


def page(readers: Readers, query: ItemQuery, order: str, *, descending: bool, limit: int, offset: int) -> ItemPage:
    """One page and the number of all."""
    where, values = query.conditions()
    by, way = _order(order, query), "DESC" if descending else "ASC"
    state = "r.status, r.finished_s, r.error" if query.run_id is not None else "NULL, NULL, NULL"
    sql = f"""SELECT i.id, i.name, i.kind, i.fields, i.reviews, {state} FROM {query.source()}
        WHERE {where} ORDER BY {by} IS NULL, {by} {way}, i.n LIMIT ? OFFSET ?"""  # noqa: S608 - allow-listed
    rows = readers.all(sql, *values, limit, offset)
    total = readers.value(f"SELECT count(*) FROM {query.source()} WHERE {where}", *values)  # noqa: S608 - names are constants, values are bound
    return ItemPage(tuple(_view(row) for row in rows), int(total))


def facets(readers: Readers, kind: str, name: str) -> dict[str, int]:
    """The values of a field (those of a list field one by one) with their counts, most frequent first."""
    sql = """SELECT CAST(f.value AS TEXT), count(*) FROM items AS i, json_each(i.fields, ?) AS f
        WHERE i.kind = ? AND f.value IS NOT NULL AND f.type <> 'object' GROUP BY 1 ORDER BY 2 DESC, 1"""
    return {row[0]: row[1] for row in readers.all(sql, json_path(name), kind)}


def _flagged(flag: str) -> str:
    """The items of a run (the one value of the query) with a result that has the flag."""
    if flag not in FLAGS:
        msg = f"Items cannot be found by the flag {flag!r}; choose one of {', '.join(FLAGS)}."
        raise UsageError(msg)
    return f"SELECT o.item_id FROM results AS o WHERE o.run_id = ? AND instr(o.flags, '\"{flag}\"') > 0"  # noqa: S608 - ours


def json_path(name: str) -> str:
    """SQLite's path to a top-level field; a quote in a name cannot be addressed and finds nothing."""
    return f'$."{name.replace(chr(34), "")}"'


def _order(order: str, query: ItemQuery) -> str:
    known = ORDERS if query.run_id is None else ORDERS | RUN_ORDERS
    if order not in known:
        msg = f"Items cannot be ordered by {order!r} here; choose one of {', '.join(known)}."
        raise UsageError(msg)
    return known[order]


def _view(row: sqlite3.Row) -> ItemView:
    item_id, name, kind, fields, reviews, status, finished_s, error = row
    state = ItemStatus(status) if status else None
    return ItemView(item_id, name, kind, load(fields), reviews, state, finished_s, error)
