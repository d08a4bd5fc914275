"""What `--items` means."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.base.errors import UnknownError, UsageError
from core.base.records import Item
from core.store import Store


@pytest.fixture
def stocked(store: Store) -> Store:
    store.catalogue.put_items([Item(name, name) for name in ("b", "a", "7", "c")])
    return store


@pytest.mark.parametrize(
    ("spec", "expected"),
    [("all", ["b", "a", "7", "c"]), ("2", ["b", "a"]), ("99", ["b", "a", "7", "c"]), ("7", ["7"]),
     ("c,b", ["c", "b"]), (" c , b,c ", ["c", "b"]), ("a", ["a"])],
)  # fmt: skip
def test_all_a_count_or_ids(stocked: Store, spec: str, expected: list[str]) -> None:
    """A number is a count unless an item is called so; ids come once, in the order given."""
    assert stocked.catalogue.select("restaurant", spec) == expected


def test_a_file_of_ids_or_of_objects(stocked: Store, tmp_path: Path) -> None:
    """One a line, as it is or as JSON with `id` or `restaurant_id`; blank lines and a BOM don't matter."""
    path = tmp_path / "items.jsonl"
    path.write_text('\ufeffc\n\n{"id": "b"}\n{"restaurant_id": "7", "restaurant_name": "x"}\n', encoding="utf-8")
    assert stocked.catalogue.select("restaurant", f"@{path}") == ["c", "b", "7"]


def test_unknown_ids_are_named(stocked: Store) -> None:
    """Up to five of them, and how to see or add items."""
    with pytest.raises(UnknownError, match=r"'u0', 'u1', 'u2', 'u3', 'u4' \(and more\)\. .*import FILE"):
        stocked.catalogue.select("restaurant", "a," + ",".join(f"u{n}" for n in range(7)))


@pytest.mark.parametrize("spec", ["0", "-3", "", ",", "@nowhere.txt"])
def test_a_spec_that_means_nothing_is_refused(stocked: Store, spec: str) -> None:
    """A count below one, no ids at all, or a file that is not there."""
    with pytest.raises(UsageError):
        stocked.catalogue.select("restaurant", spec)


def test_a_broken_line_is_named(stocked: Store, tmp_path: Path) -> None:
    """File and line number of what is neither an id nor an object with one."""
    path = tmp_path / "items.jsonl"
    for line in ('{"name": "x"}', "{broken"):
        path.write_text(f"a\n{line}\n", encoding="utf-8")
        with pytest.raises(UsageError, match=r"items\.jsonl:2: "):
            stocked.catalogue.select("restaurant", f"@{path}")
