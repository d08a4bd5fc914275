"""Every format gives the same reviews; what is no such file says so before anything happens."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest

from core.base.errors import UsageError
from core.intake import ImportLimits
from core.store import Store
from tests.intake.conftest import Run
from tests.intake.files import csv_file, gzipped, indexed, jsonl, parquet, review, texts

ROWS = [review(1), review(2, text='Soup; "hot", and\nspicy.\tVery 맛있어요!'), review(3, restaurant=2)]

FORMATS: dict[str, Callable[[Path], Path]] = {
    "jsonl": lambda folder: jsonl(folder / "a.jsonl", ROWS),
    "ndjson": lambda folder: jsonl(folder / "a.ndjson", ROWS),
    "jsonl with BOM": lambda folder: jsonl(folder / "a.jsonl", [b"\xef\xbb\xbf" + orjson.dumps(ROWS[0]), *ROWS[1:]]),
    "jsonl with blank lines": lambda folder: jsonl(folder / "a.jsonl", [b"", ROWS[0], b"  \r", *ROWS[1:], b""]),
    "jsonl.gz": lambda folder: gzipped(jsonl(folder / "a.jsonl", ROWS)),
    "json array": lambda folder: jsonl(folder / "a.json", [orjson.dumps(ROWS, option=orjson.OPT_INDENT_2)]),
    "json array on one line": lambda folder: jsonl(folder / "a.json", [orjson.dumps(ROWS)]),
    "json lines": lambda folder: jsonl(folder / "a.json", ROWS),
    "csv": lambda folder: csv_file(folder / "a.csv", ROWS),
    "csv with BOM": lambda folder: csv_file(folder / "a.CSV", ROWS, encoding="utf-8-sig"),
    "csv with semicolons": lambda folder: csv_file(folder / "a.csv", ROWS, delimiter=";"),
    "csv with tabs": lambda folder: csv_file(folder / "a.tsv", ROWS, delimiter="\t"),
    "csv.gz": lambda folder: gzipped(csv_file(folder / "a.csv", ROWS)),
    "parquet": lambda folder: parquet(folder / "a.parquet", ROWS),
}


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_every_format_gives_the_same_reviews(
    make: Callable[[Path], Path], tmp_path: Path, run: Run, store: Store
) -> None:
    """Whatever the file's format, the same reviews with all their columns are stored and indexed."""
    report = run(make(tmp_path))
    assert (report.rows, report.imported, report.bad, report.restaurants) == (3, 3, (), 2)
    assert report.sentences > 3
    stored = store.catalogue.review("r1", "v2")
    assert stored is not None
    assert stored.text == ROWS[1]["text"]
    assert (stored.restaurant_name, stored.rating, stored.date, stored.lang) == ("Place 1", 4.5, "2024-11-09", "en")
    assert dict(stored.extra) == {"table": "7"}
    assert not store.catalogue.unindexed("hash", 0, 10)


def test_the_index_holds_what_the_report_says(tmp_path: Path, run: Run, search: Any) -> None:
    """The number of sentences reported is the number in the index."""
    report = run(jsonl(tmp_path / "a.jsonl", ROWS))
    assert indexed(search) == report.sentences > 3


def test_parquet_types_become_plain_values(tmp_path: Path, run: Run, store: Store) -> None:
    """Dates, numbers as ids and nested values of a Parquet file are stored as text, ids and JSON."""
    rows = [review(1, restaurant_id=12, review_id=7, date=date(2024, 1, 2), table=[1, 2])]
    assert run(parquet(tmp_path / "a.parquet", rows)).imported == 1
    stored = store.catalogue.review("12", "7")
    assert stored is not None
    assert (stored.date, dict(stored.extra)) == ("2024-01-02", {"table": [1, 2]})


def test_headers_may_be_written_in_capitals(tmp_path: Path, run: Run, store: Store) -> None:
    """Our columns are known in any case and with spaces around; other columns keep their spelling."""
    path = tmp_path / "a.csv"
    path.write_text("Restaurant_ID , review_id,TEXT,City\nr1,v1,Good soup.,Seoul\n")
    assert run(path).imported == 1
    stored = store.catalogue.review("r1", "v1")
    assert stored is not None
    assert dict(stored.extra) == {"City": "Seoul"}
    assert stored.restaurant_name == "r1"


def _unreadable(folder: Path) -> Path:
    path = jsonl(folder / "locked.jsonl", ROWS)
    path.chmod(0)
    return path


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.jsonl")
    return folder / "pipe.jsonl"


def _written(name: str, data: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return write


UNUSABLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "none.jsonl", "does not exist"),
    "directory": (lambda folder: folder, "directory"),
    "pipe": (_fifo, "pipe"),
    "empty": (_written("a.jsonl", b""), "empty"),
    "unknown kind": (_written("a.xlsx", b"PK"), r"\.csv"),
    "packed parquet": (_written("a.parquet.gz", b"\x1f\x8b.."), r"\.gz"),
    "not packed": (_written("a.csv.gz", b"restaurant_id"), "not gzip"),
    "packed under a plain name": (_written("a.csv", gzip.compress(b"restaurant_id")), "is gzip"),
    "utf-16": (_written("a.csv", "restaurant_id,text\n".encode("utf-16")), "UTF-16"),
    "not parquet": (_written("a.parquet", b"restaurant_id,text\n"), "not a Parquet file"),
    "no such columns": (_written("a.csv", b"shop,comment\n1,good\n"), "restaurant_id, text"),
    "a column twice": (_written("a.csv", b"text,restaurant_id,Text\n1,2,3\n"), "twice"),
    "header not utf-8": (_written("a.csv", "restaurant_id,text,가게\n".encode("cp949")), "UTF-8"),
    "broken array": (_written("a.json", b'[{"text": "a"},\n{"text": \n'), "a.json:"),
}


@pytest.mark.parametrize(("make", "words"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_file_is_refused(make: Callable[[Path], Path], words: str, tmp_path: Path, run: Run) -> None:
    """A file that cannot be imported at all is a usage error that names it and says what is wrong."""
    path = make(tmp_path)
    with pytest.raises(UsageError, match=words) as refused:
        run(path)
    assert str(path) in str(refused.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_refused(tmp_path: Path, run: Run) -> None:
    """A file that may not be read is a usage error that speaks of permissions."""
    with pytest.raises(UsageError, match="permissions"):
        run(_unreadable(tmp_path))


def test_a_large_array_is_refused_with_the_way_out(tmp_path: Path, run: Run) -> None:
    """A JSON array too large to be read whole is refused, with the command that makes lines of it."""
    path = jsonl(tmp_path / "a.json", [orjson.dumps([review(n) for n in range(100)])])
    with pytest.raises(UsageError, match="jq -c"):
        run(path, limits=ImportLimits(max_array_bytes=2000, max_line_bytes=1000))


def test_a_file_over_the_byte_cap_is_refused(tmp_path: Path, run: Run) -> None:
    """A file larger than the cap on bytes is refused before it is read."""
    with pytest.raises(UsageError, match="split it"):
        run(jsonl(tmp_path / "a.jsonl", ROWS), limits=ImportLimits(max_bytes=100))


def test_texts_are_the_files_own(tmp_path: Path, run: Run, store: Store) -> None:
    """A file's name plays no part in what is stored."""
    run(jsonl(tmp_path / "..%2f..%2fetc.jsonl", ROWS))
    assert set(texts(store)) == {"v1", "v2"}
