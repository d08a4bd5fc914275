"""Items from JSONL files."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.base.errors import UsageError
from core.base.item_files import read_items
from core.base.records import Item

BAD = {
    "not JSON": ("{oops", "not JSON"),
    "cut off": ('{"id": "b"', "not JSON"),
    "a list": ('["b"]', "a list, not an object"),
    "no id": ('{"name": "B"}', "the id ''"),
    "an empty id": ('{"id": "  "}', "the id ''"),
    "an id that is a list": ('{"id": ["b"]}', "the id ''"),
    "an id that is a flag": ('{"id": true}', "the id ''"),
    "an id with a control character": ('{"id": "a\\u0000b"}', "printable"),
    "an id with a direction character": ('{"id": "a\\u202eb"}', "printable"),
    "an id that is too long": (f'{{"id": "{"x" * 201}"}}', "1 to 200"),
    "a repeated id": ('{"id": "a"}', "'a' is there twice"),
    "a line that is too long": (f'{{"id": "b", "x": "{"x" * 1_000_000}"}}', "at most 1000000 are read"),
}


def file(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "items.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_id_and_name_are_the_items_and_the_rest_its_fields(tmp_path: Path) -> None:
    """A line becomes an item of the kind asked for; numbers are fine as ids and a missing name is the id."""
    path = file(tmp_path, '{"id": "a", "name": " Kim\\nGrill ", "city": "Seoul"}', "", '{"id": 7}')
    assert list(read_items(path, "place")) == [
        Item("a", "Kim Grill", "place", {"city": "Seoul"}),
        Item("7", "7", "place"),
    ]


def test_a_kinds_own_names_are_known(tmp_path: Path) -> None:
    """`place_id` and `place_name` are the id and name of an item of kind place, and no fields."""
    path = file(tmp_path, '{"place_id": "a", "place_name": "A", "other_id": "x"}')
    assert list(read_items(path, "place")) == [Item("a", "A", "place", {"other_id": "x"})]


@pytest.mark.parametrize("kind", list(BAD))
def test_a_bad_line_names_its_number(tmp_path: Path, kind: str) -> None:
    """A line that is no item is an error with file and line, after the good ones before it."""
    line, says = BAD[kind]
    path = file(tmp_path, '{"id": "a"}', line)
    items = read_items(path, "place")
    assert next(items).id == "a"
    with pytest.raises(UsageError) as caught:
        next(items)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert says in str(caught.value)


def test_bad_lines_can_be_reported_and_skipped(tmp_path: Path) -> None:
    """With on_error every bad line is told with its number and the rest is read."""
    told: list[str] = []
    path = file(tmp_path, "nope", '{"id": "a"}', '{"id": "a"}', '{"id": "b"}')
    assert [item.id for item in read_items(path, "place", on_error=told.append)] == ["a", "b"]
    assert [message.split(": ")[0] for message in told] == [f"{path}:1", f"{path}:3"]


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    """A file saved with a byte order mark is read from its first line on."""
    path = tmp_path / "items.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"id": "a"}\r\n{"id": "b"}')
    assert [item.id for item in read_items(path, "place")] == ["a", "b"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A path that cannot be read is a usage error."""
    with pytest.raises(UsageError, match=r"none\.jsonl:1: cannot be read"):
        list(read_items(tmp_path / "none.jsonl", "place"))
