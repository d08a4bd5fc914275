"""A store and an index of their own for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.base.endpoints import SearchConfig
from core.intake import ImportReport, import_file
from core.store import Store

Run = Callable[..., ImportReport]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "brigade.db") as opened:
        yield opened


@pytest.fixture
def search(tmp_path: Path) -> SearchConfig:
    return SearchConfig(path=tmp_path / "index", embedder="hash")


@pytest.fixture
def run(store: Store, search: SearchConfig) -> Run:
    """import_file into the test's own store and index."""

    def imported(path: Path, **options: Any) -> ImportReport:
        return import_file(path, store=store, search=search, env={}, **options)

    return imported
