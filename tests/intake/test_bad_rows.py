"""A bad row is reported with its line and the reason; every other row is imported."""

from __future__ import annotations

import gzip
import math
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.base.errors import UsageError
from core.base.records import Review
from core.intake import ImportLimits
from core.intake.cells import BadCellError, clean
from core.intake.csv_rows import csv_rows
from core.intake.reading import read_batches
from core.intake.records import ReviewRows
from core.intake.rows import Row
from core.intake.source import find_source
from core.store import Store
from tests.intake.conftest import Run
from tests.intake.files import csv_file, gzipped, jsonl, parquet, review, texts

LIMITS = ImportLimits(max_line_bytes=3000, max_cell_chars=500, max_columns=20)


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in review(2).items() if key != name}


BAD_JSON: dict[str, tuple[Any, str]] = {
    "malformed": (b'{"restaurant_id": "r1", "text": ', "not valid JSON"),
    "not an object": (b'["r1", "text"]', "an array"),
    "a number": (b"7", "a number"),
    "NaN in JSON": (b'{"restaurant_id": "r1", "review_id": "x", "text": "a", "rating": NaN}', "not valid JSON"),
    "invalid UTF-8": (b'{"restaurant_id": "r1", "text": "\xff"}', "not valid UTF-8"),
    "lone surrogate": (b'{"restaurant_id": "r1", "review_id": "x", "text": "\\ud800"}', "not valid JSON"),
    "no restaurant": (_without("restaurant_id"), "restaurant_id is missing"),
    "no id": (_without("review_id"), "review_id is missing"),
    "empty id": (review(2, review_id=""), "review_id is missing"),
    "blank id": (review(2, review_id="  "), "review_id must"),
    "control character in an id": (review(2, review_id="v\x002"), "review_id must"),
    "long id": (review(2, review_id="v" * 201), "review_id must"),
    "id of a wrong type": (review(2, review_id=1.5), "review_id must"),
    "id is a truth value": (review(2, restaurant_id=True), "restaurant_id must"),
    "no text": (_without("text"), "text is missing"),
    "text null": (review(2, text=None), "text is missing"),
    "empty text": (review(2, text=" \n\t "), "text is empty"),
    "text of control characters": (review(2, text="\x00\x01\u200b"), "text is empty"),
    "text of a wrong type": (review(2, text=["a"]), "text must be text"),
    "text over the cap": (review(2, text="a" * 501), "text has 501 characters"),
    "rating not a number": (review(2, rating="good"), "rating is not a number"),
    "rating NaN as text": (review(2, rating="NaN"), "rating is not a number"),
    "rating infinite": (review(2, rating="-inf"), "rating is not a number"),
    "rating of a wrong type": (review(2, rating=[5]), "rating is not a number"),
    "rating too high": (review(2, rating=11), "not between"),
    "rating negative": (review(2, rating=-1), "not between"),
    "author of a wrong type": (review(2, author={"name": "a"}), "author must be text"),
    "another column over the cap": (review(2, table="a" * 501), "table has 501"),
    "a nested column over the cap": (review(2, table=["a" * 300, "b" * 300]), "table holds more than 500"),
    "nested too deep": (
        b'{"restaurant_id": "r1", "review_id": "x", "text": "a", "x": ' + b"[" * 400 + b"]" * 400 + b"}",
        "x cannot be stored",
    ),
    "too many columns": (review(2) | {f"c{n}": 1 for n in range(20)}, "columns, more than"),
    "line over the cap": (review(2, table="a" * 4000), "longer than 3,000 bytes"),
}


@pytest.mark.parametrize(("bad", "reason"), BAD_JSON.values(), ids=BAD_JSON)
def test_a_bad_json_line_costs_only_itself(bad: Any, reason: str, tmp_path: Path, run: Run, store: Store) -> None:
    """Each kind of bad line is reported with its number and reason, and its neighbours are imported."""
    report = run(jsonl(tmp_path / "a.jsonl", [review(1), bad, review(3)]), limits=LIMITS)
    assert report.bad_count == len(report.bad) == 1
    line, why = report.bad[0]
    assert line == 2
    assert reason in why
    assert set(texts(store)) == {"v1", "v3"}
    assert report.rows == report.imported + report.unchanged + report.duplicates + report.bad_count == 3
    assert not report.stopped


HEADER = b"restaurant_id,restaurant_name,review_id,text,rating\n"
GOOD = (b"r1,Place,v1,Good soup.,5\n", b'r1,Place,v9,"Two\nlines, ""quoted"".",4\n')
BAD_CSV: dict[str, tuple[bytes, str, int]] = {
    "too many cells": (b"r1,Place,v2,Fine, really,5\n", "6 cells where the header has 5", 1),
    "too few cells": (b"r1,Place,v2\n", "3 cells where the header has 5", 1),
    "a quote that ends in mid-cell": (b'r1,Place,v2,"Fine" really,5\n', "expected after", 1),
    "a quote that is never closed": (b'r1,Place,v2,"Fine,5\n', "expected after", 1),
    "invalid UTF-8": (b"r1,Place,v2,\xb8\xc0,5\n", "not valid UTF-8 at byte 13", 1),
    "a line over the cap": (b"r1,Place,v2," + b"a" * 4000 + b",5\n", "longer than 3,000 bytes", 1),
    "no text": (b"r1,Place,v2,,5\n", "text is empty", 1),
    "no id": (b"r1,Place,,Fine,5\n", "review_id is missing", 1),
    "a rating in words": (b"r1,Place,v2,Fine,five\n", "rating is not a number", 1),
    "NaN": (b"r1,Place,v2,Fine,nan\n", "rating is not a number", 1),
}


@pytest.mark.parametrize(("bad", "reason", "count"), BAD_CSV.values(), ids=BAD_CSV)
def test_a_bad_csv_row_costs_only_itself(
    bad: bytes, reason: str, count: int, tmp_path: Path, run: Run, store: Store
) -> None:
    """Each kind of bad CSV row is reported with its line, also between rows whose cells run over several lines."""
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER + GOOD[0] + bad + GOOD[1])
    report = run(path, limits=LIMITS)
    assert [line for line, _ in report.bad] == [3]
    assert reason in report.bad[0][1]
    assert report.bad_count == count
    assert texts(store) == {"v1": "Good soup.", "v9": 'Two\nlines, "quoted".'}


def test_a_quote_left_open_does_not_swallow_the_file(tmp_path: Path, run: Run, store: Store) -> None:
    """After a quote that nothing closes the lines behind it are read again, one by one."""
    lines = [b"r1,Place,v%d,Fine soup %d,5\n" % (n, n) for n in range(2000)]
    lines[100] = b'r1,Place,v100,"Fine,5\n'
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER + b"".join(lines))
    report = run(path)
    assert (report.imported, report.bad_count, report.bad[0][0]) == (1999, 1, 102)
    assert "v1999" in {review.review_id for review in store.catalogue.reviews("r1", 10, 1990)}


def test_line_numbers_count_lines_of_the_file(tmp_path: Path, run: Run) -> None:
    """A cell of several lines and blank lines shift the numbers as an editor would count them."""
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER + GOOD[1] + b"\n\n" + b"r1,Place,v2\n")
    assert run(path).bad == ((6, "3 cells where the header has 5"),)


def test_bad_parquet_rows_are_numbered(tmp_path: Path, run: Run) -> None:
    """Rows of a Parquet file are numbered from 1."""
    rows = [review(1), review(2, text=""), review(3, rating=math.nan), review(4)]
    report = run(parquet(tmp_path / "a.parquet", rows))
    assert [line for line, _ in report.bad] == [2, 3]
    assert report.imported == 2


def test_only_a_thousand_bad_rows_are_kept(tmp_path: Path, run: Run) -> None:
    """The first thousand bad rows are kept with their reasons, all are counted."""
    report = run(jsonl(tmp_path / "a.jsonl", [b"{"] * 1500 + [review(1)]))
    assert (len(report.bad), report.bad_count, report.imported) == (1000, 1500, 1)


def test_a_huge_line_is_skipped_unread(tmp_path: Path, run: Run) -> None:
    """A line of 300 MB is reported without being held in memory, and the line behind it is imported."""
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(orjson.dumps(review(1)) + b'\n{"text": "')
        file.seek(300_000_000, 1)
        file.write(b'"}\n' + orjson.dumps(review(2)) + b"\n")
    tracemalloc.start()
    report = run(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.imported == 2
    assert report.bad == ((2, "the line is longer than 4,194,304 bytes"),)
    assert peak < 60_000_000


def test_a_packed_file_is_capped_by_what_it_unpacks_to(tmp_path: Path, run: Run) -> None:
    """A gzip bomb ends the reading at the cap; what came before it is imported."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(orjson.dumps(review(1)) + b"\n" + b" " * 30_000_000 + b"\n" + orjson.dumps(review(2)) + b"\n")
    report = run(gzipped(path), limits=ImportLimits(max_bytes=20_000_000))
    assert (report.imported, report.stopped) == (1, True)
    assert "cap of 20,000,000 bytes" in report.bad[-1][1]


def test_a_packed_file_that_breaks_off_keeps_what_was_read(tmp_path: Path, run: Run) -> None:
    """A truncated gzip file is imported up to where it breaks off, and the report says so."""
    path = tmp_path / "a.jsonl.gz"
    data = gzip.compress(b"".join(orjson.dumps(review(n, text=f"{n * 7919} soups")) + b"\n" for n in range(3000)))
    path.write_bytes(data[: len(data) // 2])
    report = run(path)
    assert report.stopped
    assert 0 < report.imported < 3000
    assert "breaks off" in report.bad[-1][1]


def test_the_cap_on_rows_ends_the_reading(tmp_path: Path, run: Run) -> None:
    """More rows than allowed: the first are imported, and the report says where it stopped."""
    report = run(jsonl(tmp_path / "a.jsonl", [review(n) for n in range(9)]), limits=ImportLimits(max_rows=5))
    assert (report.imported, report.stopped) == (5, True)
    assert report.bad[0][0] == 6


def test_invisible_characters_are_cleaned_away(tmp_path: Path, run: Run, store: Store) -> None:
    """NUL, control characters, bidirectional overrides and tag characters vanish; tabs, line ends and emoji stay."""
    text = "Go\x00od\x1b \u202esoup\u2066 \U000e0041!\r\n한국\t👨\u200d👩\u200d👧"
    run(jsonl(tmp_path / "a.jsonl", [review(1, text=text, author="a\x07b")]))
    stored = store.catalogue.review("r1", "v1")
    assert stored is not None
    assert stored.text == "Good soup !\n한국\t👨\u200d👩\u200d👧"
    assert stored.author == "ab"


def test_ids_are_derived_where_the_file_has_none(tmp_path: Path, run: Run, store: Store) -> None:
    """A file without review ids gets the same ids at each import, and equal texts are one review."""
    path = tmp_path / "a.csv"
    path.write_text("restaurant_id,text\nr1,Good soup.\nr1,Bad soup.\nr1,Good soup.\n")
    first, second = run(path), run(path)
    assert (first.imported, first.duplicates) == (2, 1)
    assert (second.imported, second.unchanged, second.duplicates) == (0, 2, 1)
    assert len(texts(store)) == 2


def test_ids_are_derived_for_json_lines_without_any(tmp_path: Path, run: Run) -> None:
    """The first line decides whether a JSON Lines file has review ids."""
    rows = [{"restaurant_id": "r1", "text": f"Soup {n}."} for n in range(3)]
    assert run(jsonl(tmp_path / "a.jsonl", rows)).imported == 3


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
columns = st.sampled_from(
    ["restaurant_id", "restaurant_name", "review_id", "text", "rating", "date", "author", "lang", "x"]
)


patient = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@patient
@given(st.dictionaries(columns, json_values, max_size=9))
def test_any_row_is_a_sound_review_or_a_reason(cells: dict[str, Any]) -> None:
    """Whatever a row holds, it becomes a review that meets every rule, or a reason; never another error."""
    try:
        made = ReviewRows(LIMITS).read(Row(1, cells))
    except BadCellError:
        return
    assert isinstance(made, Review)
    assert made.restaurant_id.isprintable()
    assert made.review_id.isprintable()
    assert made.text == made.text.strip() != ""
    assert made.rating is None or 0 <= made.rating <= LIMITS.max_rating
    assert all(value is None or isinstance(value, str) for value in (made.date, made.author, made.lang))
    orjson.dumps(dict(made.extra), default=str)


@patient
@given(st.text())
def test_cleaning_is_done_once(text: str) -> None:
    """Cleaning what is clean changes nothing, and no control character but tab and line end is left."""
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert not any(ord(char) < 32 and char not in "\t\n" for char in cleaned)


@patient
@given(st.lists(st.text(alphabet=st.sampled_from('ab",;\n\r\t'), max_size=12), min_size=1, max_size=8))
def test_csv_written_by_a_csv_writer_is_read_back(texts_in: list[str]) -> None:
    """What a CSV writer wrote comes back cell by cell, whatever commas, quotes and line ends it holds."""
    with tempfile.TemporaryDirectory() as folder:
        path = csv_file(Path(folder) / "a.csv", [review(n, text=f"x{text}x") for n, text in enumerate(texts_in)])
        rows = list(csv_rows(find_source(path, LIMITS), LIMITS, frozenset({"text"})))
    read = [clean(row.cells["text"]) for row in rows if isinstance(row, Row)]
    assert read == [clean(f"x{text}x") for text in texts_in]


pieces = st.sampled_from(
    [b'"', b",", b"\n", b"\r\n", b"{", b"}", b"[", b"r1", b"\xff", b"\x00", b'{"text":"a"}', b'""', b" "]
)


@patient
@given(st.lists(pieces | st.binary(max_size=20), max_size=40), st.sampled_from(["a.csv", "a.jsonl", "a.json"]))
def test_any_bytes_are_rows_bad_rows_or_a_usage_error(content: list[bytes], name: str) -> None:
    """Whatever bytes a file holds, reading it ends, with rows in the order of their lines or a usage error."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes((HEADER if name == "a.csv" else b"\n") + b"".join(content))
        try:
            rows = [row for batch in read_batches(find_source(path, LIMITS), LIMITS, frozenset()) for row in batch]
        except UsageError:
            return
    lines = [row.line for row in rows]
    assert lines == sorted(set(lines))
    assert all(row.reason for row in rows if not isinstance(row, Row))
