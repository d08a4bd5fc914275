"""Memory does not grow with the file."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.base.records import Review
from core.intake import ImportProgress, crew
from core.intake.keys import KeySet
from core.search import Embedder, Prepared
from tests.intake.conftest import Run

ROWS = 200_000


def _nothing(reviews: Sequence[Review], embedder: Embedder, *, whole_reviews: bool = False) -> list[Prepared]:
    return []


def _large_file(path: Path) -> Path:
    with path.open("w") as file:
        for n in range(ROWS):
            file.write(f'{{"restaurant_id":"r{n // 400}","review_id":"v{n}","text":"The soup number {n} was warm."}}\n')
    return path


def _resident() -> int:
    """Bytes of memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads its memory from /proc")
def test_memory_is_bounded_on_a_large_file(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred thousand rows, 17 MB of them, take no more memory than a few batches and the database's cache."""
    monkeypatch.setattr(crew, "prepare", _nothing)
    path = _large_file(tmp_path / "a.jsonl")
    held: list[int] = []

    def look(progress: ImportProgress) -> None:
        held.append(_resident())

    report = run(path, progress=look)
    assert report.imported == ROWS
    assert len(held) > 10
    assert max(held) - held[0] < 100_000_000  # 64 MB of it are the cache of the database that writes


def test_keys_are_known_again() -> None:
    """The set of keys knows what it was given, in earlier calls and in the same one, in eight bytes a key."""
    seen = KeySet()
    for start in range(0, 100_000, 500):
        keys = [f"k{n}" for n in range(start, start + 500)]
        assert seen.add([*keys, keys[0]]) == [False] * 500 + [True]
    assert all(seen.add([f"k{n}" for n in range(100_000)]))
    assert not any(seen.add([f"other{n}" for n in range(1000)]))
    assert len(seen) == 101_000
    assert seen.add([]) == []
