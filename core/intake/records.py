"""From a row to a record of ours: a review, or a restaurant whose reviews are elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from core.base.records import Item, Review
from core.intake.cells import extra_cells, id_cell, rating_cell, short_cell, text_cell
from core.intake.report import ImportLimits
from core.intake.rows import KNOWN, Row

_NAMING = frozenset({"restaurant_id", "restaurant_name"})


class ReviewRows:
    """Reads rows as reviews.

    A file whose first row has no review_id column has none anywhere: ids are derived from restaurant and text, the same
    at each import. In any other file a row without one is bad.
    """

    def __init__(self, limits: ImportLimits) -> None:
        self._limits = limits
        self._derive: bool | None = None

    def read(self, row: Row) -> Review:
        """The row's review; BadCellError says what is wrong with it."""
        cells = row.cells
        if self._derive is None:
            self._derive = "review_id" not in cells
        restaurant_id = id_cell(cells, "restaurant_id")
        text = text_cell(cells, "text", self._limits.max_cell_chars)
        return Review(
            restaurant_id=restaurant_id,
            restaurant_name=short_cell(cells, "restaurant_name") or restaurant_id,
            review_id=self._review_id(cells, restaurant_id, text),
            text=text,
            rating=rating_cell(cells, self._limits.max_rating),
            date=short_cell(cells, "date"),
            author=short_cell(cells, "author"),
            lang=short_cell(cells, "lang"),
            extra=extra_cells(cells, KNOWN, self._limits.max_cell_chars),
        )

    def _review_id(self, cells: Mapping[str, Any], restaurant_id: str, text: str) -> str:
        if not self._derive or cells.get("review_id") not in (None, ""):
            return id_cell(cells, "review_id")
        digest = hashlib.sha256(f"{restaurant_id}\0{text}".encode()).hexdigest()
        return f"auto-{digest[:20]}"


def read_restaurant(row: Row, limits: ImportLimits) -> Item:
    """The row's restaurant; every other column is one of its fields."""
    item_id = id_cell(row.cells, "restaurant_id")
    name = short_cell(row.cells, "restaurant_name") or item_id
    return Item(item_id, name, fields=extra_cells(row.cells, _NAMING, limits.max_cell_chars))
