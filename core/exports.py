"""A run's results as a file: JSONL for programs, CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from typing import IO, Any

import orjson

from core.base.errors import UsageError
from core.base.views import ResultView

COLUMNS = ("item_id", "item_name", "stage", "part", "text", "evidence", "flags", "model", "cost_usd")
# What spreadsheets take for the start of a formula; a Korean or Japanese one also takes the full-width forms. Some drop
# blanks and invisible characters before they look.
_FORMULA = re.compile(r"[\t\r\n\0]|[\s\0\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*[=+\-@＝＋－＠]")


def export(rows: Iterable[ResultView], fmt: str, out: IO[bytes]) -> int:
    """Write the rows as `jsonl` or `csv` to a binary stream; how many there were. UsageError for another format."""
    writer = _WRITERS.get(fmt)
    if writer is None:
        msg = f"There is no export format {fmt!r}; there are {', '.join(_WRITERS)}."
        raise UsageError(msg)
    return writer(rows, out)


def record(row: ResultView) -> dict[str, Any]:
    """One result with the columns of the contract; what is not plainly done says so in its flags."""
    flags = [*row.flags, *([row.status] if row.status != "done" else [])]
    return {
        "item_id": row.item_id,
        "item_name": row.item_name,
        "stage": row.stage,
        "part": row.part,
        "text": row.text,
        "evidence": list(dict.fromkeys(e.review_id for e in row.evidence)),
        "flags": flags,
        "model": row.model,
        "cost_usd": None if row.cost_usd is None else float(row.cost_usd),
    }


def _jsonl(rows: Iterable[ResultView], out: IO[bytes]) -> int:
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - the last number is the count
        out.write(orjson.dumps(record(row), option=orjson.OPT_APPEND_NEWLINE))
    return count


def _csv(rows: Iterable[ResultView], out: IO[bytes]) -> int:
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="", write_through=True)
    count = 0
    try:
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        for count, row in enumerate(rows, 1):  # noqa: B007 - the last number is the count
            writer.writerow(_cells(record(row)))
    finally:
        text.detach()  # the stream is the caller's; a wrapper left behind would close it
    return count


def _cells(fields: Mapping[str, Any]) -> dict[str, Any]:
    joined = {**fields, "evidence": " ".join(fields["evidence"]), "flags": " ".join(fields["flags"])}
    return {name: defuse(value) if isinstance(value, str) else value for name, value in joined.items()}


def defuse(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: a quote goes before what could start one."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


_WRITERS: Mapping[str, Callable[[Iterable[ResultView], IO[bytes]], int]] = {"jsonl": _jsonl, "csv": _csv}
