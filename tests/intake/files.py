"""Files to import, and what an import left behind."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from core.base.endpoints import SearchConfig
from core.search import load_embedder, open_index
from core.store import Store

COLUMNS = ("restaurant_id", "restaurant_name", "review_id", "text", "rating", "date", "author", "lang", "table")


def review(number: int, restaurant: int = 1, **other: Any) -> dict[str, Any]:
    """A good row."""
    return {
        "restaurant_id": f"r{restaurant}",
        "restaurant_name": f"Place {restaurant}",
        "review_id": f"v{number}",
        "text": f"The soup number {number} was warm. The waiter was kind.",
        "rating": 4.5,
        "date": "2024-11-09",
        "author": "mellow",
        "lang": "en",
        "table": "7",
    } | other


def jsonl(path: Path, rows: Sequence[dict[str, Any] | bytes]) -> Path:
    """A JSON Lines file; bytes are written as they are."""
    path.write_bytes(b"".join((row if isinstance(row, bytes) else orjson.dumps(row)) + b"\n" for row in rows))
    return path


def csv_file(path: Path, rows: Sequence[dict[str, Any]], *, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    """A CSV file with all columns."""
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def parquet(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """A Parquet file in small row groups."""
    pq.write_table(pa.Table.from_pylist(list(rows)), path, row_group_size=2)
    return path


def gzipped(path: Path) -> Path:
    """The same file, packed."""
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


def indexed(search: SearchConfig, restaurant_id: str | None = None) -> int:
    """How many sentences the index holds."""
    index = open_index(search, load_embedder(search.embedder, {}), {})
    try:
        return index.count(restaurant_id)
    finally:
        index.close()


def texts(store: Store, restaurant_id: str = "r1") -> dict[str, str]:
    """A restaurant's stored reviews by id."""
    return {review.review_id: review.text for review in store.catalogue.reviews(restaurant_id, 1000)}
