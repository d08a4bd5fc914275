"""What commands print: JSON and tables on stdout, notes on stderr."""

from __future__ import annotations

import argparse
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from core.cli import streams

WIDE = 200
_KEPT = {"\n", "\t"}
_JOINERS = {"\u200c", "\u200d"}
_STEERING = ("Cc", "Cf", "Cs")


def print_json(value: Any) -> None:
    """One JSON document on one line."""
    import orjson

    streams.write(orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode())


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return str(value)


def print_text(text: str) -> None:
    """A line for people; what could steer the terminal is taken out."""
    streams.write(harmless(text, keep_lines=True))


def note(args: argparse.Namespace, text: str) -> None:
    """A remark on stderr, unless the operator wants none."""
    if not getattr(args, "quiet", None):
        print(harmless(text, keep_lines=True), file=sys.stderr, flush=True)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; columns whose name begins with `#` are numbers and stand to the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in columns:
        right = name.startswith("#")
        table.add_column(name.removeprefix("#"), justify="right" if right else "left", overflow="fold", no_wrap=right)
    for row in rows:
        table.add_row(*(Text(harmless(_cell(value))) for value in row))
    terminal = sys.stdout is not None and sys.stdout.isatty()
    console = Console(markup=False, highlight=False, emoji=False, width=None if terminal else WIDE)
    with console.capture() as drawn:
        console.print(table)
    for line in drawn.get().rstrip("\n").split("\n"):
        streams.write(line.rstrip())


def _cell(value: object) -> str:
    return "-" if value is None else str(value)


def harmless(text: str, *, keep_lines: bool = False) -> str:
    """The text without control and bidirectional-override characters: reviews and models write to no terminal."""
    kept = _JOINERS | _KEPT if keep_lines else _JOINERS
    return "".join(c if c in kept or unicodedata.category(c) not in _STEERING else " " for c in text)
