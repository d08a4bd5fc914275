"""Results as files: the contract's columns, and nothing that a spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal

import pytest

from core.base.errors import StoreError, UsageError
from core.base.records import Evidence
from core.base.views import ResultView
from core.exports import COLUMNS, defuse, export

CONTRACT = ("item_id", "item_name", "stage", "part", "text", "evidence", "flags", "model", "cost_usd")
STARTS = ("=", "+", "-", "@", "\t", "\r", "\0", "\n")
DISGUISES = ("", " ", "\u00a0", "\u3000", "\ufeff", "\u200b", " \ufeff\u200e ", "\u2066")
HOSTILE = (
    '=HYPERLINK("https://evil.example","open")',
    "=cmd|'/c calc'!A1",
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1+1",
    "\r=1+1",
    "\0=1+1",
    '","=1+1',
    '"\r\n=1+1,',
    "＝1+1",
    "＠SUM(1)",
)


def result(text: str = "Good [1].", **changes: object) -> ResultView:
    """A stored result; changes replace its fields."""
    given = {
        "item_id": "r1",
        "item_name": "Place 1",
        "stage": "aspect_summary",
        "part": "food",
        "status": "done",
        "text": text,
        "evidence": (Evidence("v1", "a", 0.9), Evidence("v2", "b", 0.8), Evidence("v1", "c", 0.7, position=3)),
        "citations": (),
        "flags": ("truncated",),
        "model": "m",
        "cost_usd": Decimal("0.000117"),
    } | changes
    return ResultView(**given)  # type: ignore[arg-type]


def written(fmt: str, *rows: ResultView) -> bytes:
    out = io.BytesIO()
    assert export(iter(rows), fmt, out) == len(rows)
    return out.getvalue()


def table(*rows: ResultView) -> list[list[str]]:
    """The cells of a CSV, read again as a spreadsheet would."""
    return list(csv.reader(io.StringIO(written("csv", *rows).decode("utf-8-sig"), newline=""), strict=True))


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet that drops blanks and invisible characters would calculate."""
    bare = "".join(c for c in cell if c.isprintable() and not c.isspace() and c not in "\ufeff\u200b")
    return bare.startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠")) or cell.startswith(("\t", "\r", "\0"))


def test_a_jsonl_line_has_exactly_the_contracts_columns() -> None:
    """A line holds the nine columns in their order: evidence as review ids, each once; the cost as a number."""
    line = json.loads(written("jsonl", result()))
    assert tuple(line) == COLUMNS == CONTRACT
    assert line["evidence"] == ["v1", "v2"]
    assert line["flags"] == ["truncated"]
    assert line["cost_usd"] == 0.000117


def test_what_is_unpriced_stays_unpriced() -> None:
    """No price is null in JSONL and an empty cell in CSV, never 0."""
    free = result(cost_usd=None, model=None)
    assert json.loads(written("jsonl", free))["cost_usd"] is None
    assert dict(zip(*table(free), strict=True))["cost_usd"] == ""


def test_what_is_not_done_says_so_in_its_flags() -> None:
    """A refused result carries its status besides its own flags, in both formats."""
    refused = result("", status="refused")
    assert json.loads(written("jsonl", refused))["flags"] == ["truncated", "refused"]
    assert dict(zip(*table(refused), strict=True))["flags"] == "truncated refused"


def test_text_comes_back_as_it_was() -> None:
    """Korean, quotes, commas, line ends and emoji survive both formats."""
    text = 'She said "좋아요", then\r\nleft; 맛있다 🍜\nend'
    assert json.loads(written("jsonl", result(text)))["text"] == text
    assert dict(zip(*table(result(text)), strict=True))["text"] == text


def test_a_csv_opens_as_utf8_in_a_spreadsheet() -> None:
    """It begins with one byte order mark and the header."""
    raw = written("csv", result())
    assert raw.startswith(b"\xef\xbb\xbfitem_id,item_name,")
    assert raw.count(b"\xef\xbb\xbf") == 1


@pytest.mark.parametrize("column", ["item_id", "item_name", "stage", "part", "text", "model"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_cell_is_a_formula(column: str, hostile: str) -> None:
    """Whatever a reviewer, a model or an import wrote, the file read again has two rows and no formula cell."""
    cells = table(result(**{column: hostile}))
    assert [len(row) for row in cells] == [9, 9]
    assert not [cell for row in cells for cell in row if is_formula(cell)]


def test_joined_cells_are_defused_too() -> None:
    """Review ids and flags that begin like a formula get their quote as a joined cell."""
    cells = table(result(evidence=(Evidence("=1+1", "a", 1.0),), flags=("@x",)))
    assert cells[1][5:7] == ["'=1+1", "'@x"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "＝", "＋", "－", "＠"])
@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_disguised_formula_is_defused(start: str, disguise: str) -> None:
    """Blanks, a byte order mark and invisible characters before the sign do not hide it; only a quote is added."""
    cell = f"{disguise}{start}1+1"
    assert defuse(cell) == f"'{cell}"


@pytest.mark.parametrize("start", STARTS)
def test_each_dangerous_first_character_is_defused(start: str) -> None:
    """Each character that FORMULA cells begin with gets the quote, alone as well."""
    assert defuse(start) == f"'{start}"
    assert defuse(f"{start}x") == f"'{start}x"


@pytest.mark.parametrize("cell", ["", "Good.", "3 + 4 = 7", "a=b", "  two blanks", "'quoted'", "7-Eleven", "맛있어요"])
def test_harmless_cells_stay_as_they_are(cell: str) -> None:
    """A cell in which the signs stand elsewhere is not changed."""
    assert defuse(cell) == cell


def test_an_unknown_format_is_a_usage_error_and_writes_nothing() -> None:
    """The error names the format and those that there are; no row is asked for."""

    def rows() -> Iterator[ResultView]:
        pytest.fail("a row was read")
        yield result()

    out = io.BytesIO()
    with pytest.raises(UsageError, match=r"'xlsx'.*jsonl, csv"):
        export(rows(), "xlsx", out)
    assert out.getvalue() == b""


@pytest.mark.parametrize("fmt", ["jsonl", "csv"])
def test_a_stream_that_breaks_leaves_the_file_to_its_owner(fmt: str) -> None:
    """An error among the rows comes out as itself, and the caller's stream is still open."""

    def rows() -> Iterator[ResultView]:
        yield result()
        raise StoreError("the disk is gone")

    out = io.BytesIO()
    with pytest.raises(StoreError, match="disk is gone"):
        export(rows(), fmt, out)
    assert not out.closed


class Sink(io.RawIOBase):
    """A file that forgets what was written."""

    size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        length = len(data)  # type: ignore[arg-type]
        self.size += length
        return length


class Counted(ResultView):
    """A result that is counted for as long as somebody holds it."""

    alive = 0

    def __del__(self) -> None:
        Counted.alive -= 1


@pytest.mark.parametrize("fmt", ["jsonl", "csv"])
def test_a_long_export_holds_one_row_at_a_time(fmt: str) -> None:
    """Of a hundred thousand rows at most three are in memory at any moment, and each is written before the next."""
    out = Sink()
    plain = result()
    fields = {name: getattr(plain, name) for name in ResultView.__dataclass_fields__}

    def rows() -> Iterator[ResultView]:
        for number in range(100_000):
            assert out.size >= 60 * number
            assert Counted.alive <= 3
            Counted.alive += 1
            yield Counted(**fields)

    assert export(rows(), fmt, out) == 100_000  # type: ignore[arg-type]
    assert Counted.alive == 0
