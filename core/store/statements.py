"""Many rows in one step of SQLite.

`executemany` takes the interpreter lock back after every row, so that beside a busy event loop each row may wait for
its turn; one statement over many rows is a single step, and runs beside the loop on another core.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

CHUNKS = (64, 8, 1)


class Bulk:
    """A statement with a place for `VALUES`, prepared for 64, 8 and 1 rows of `columns` values."""

    def __init__(self, before: str, columns: int, after: str = "") -> None:
        row = f"({', '.join('?' * columns)})"
        self._sql = {size: f"{before} {', '.join([row] * size)} {after}" for size in CHUNKS}

    def run(self, db: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> int:
        """Apply all rows; how many rows of the table changed."""
        changed = start = 0
        for size in CHUNKS:
            sql = self._sql[size]
            while len(rows) - start >= size:
                flat = tuple(chain.from_iterable(rows[start : start + size]))
                changed += db.execute(sql, flat).rowcount
                start += size
        return changed
