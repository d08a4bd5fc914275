"""Column settings of tables: titles from the catalogue, numbers aligned right, nothing read as markup."""

from __future__ import annotations

from typing import Literal

from streamlit.column_config import NumberColumn, ProgressColumn, TextColumn
from streamlit.elements.lib.column_types import ColumnConfig

from core.ui.language import t

Columns = dict[str, ColumnConfig]


def texts(*names: str, right: bool = False, width: int | None = None) -> Columns:
    """Text columns; `right` for numbers that are written with their unit; a width in pixels where data changes."""
    alignment: Literal["right"] | None = "right" if right else None
    return {n: TextColumn(t(f"column.{n}"), alignment=alignment, width=width) for n in names}


def numbers(*names: str, width: int | None = None) -> Columns:
    """Whole numbers with the viewer's thousands separator."""
    return {n: NumberColumn(t(f"column.{n}"), format="localized", width=width) for n in names}


def bar(name: str, most: float, shown: str) -> Columns:
    """A bar from zero to `most`; `shown` is the printf format of the number beside it."""
    return {name: ProgressColumn(t(f"column.{name}"), format=shown, min_value=0, max_value=most)}
