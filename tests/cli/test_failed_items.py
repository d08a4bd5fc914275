"""`show` names the items that failed, also those that failed without a request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from core.base.records import ItemStatus
from core.base.views import ItemPage, ItemView
from core.cli.reading import _failed_items


class Failed:
    """A service whose run has failed items."""

    def __init__(self, *errors: str) -> None:
        self.rows = tuple(
            ItemView(f"r{n}", "Kitchen", "restaurant", {}, 1, ItemStatus.FAILED, None, error)
            for n, error in enumerate(errors)
        )

    def run_items(self, _run_id: str, *, status: ItemStatus, limit: int) -> ItemPage:
        assert status is ItemStatus.FAILED
        return ItemPage(self.rows[:limit], len(self.rows))


def run(failed: int) -> Any:
    return SimpleNamespace(id="r", failed=failed)


def test_the_first_failed_items_are_printed_with_their_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Ten at most, with how many there are."""
    _failed_items(Failed(*["no cards"] * 12), run(12))  # type: ignore[arg-type]
    told = capsys.readouterr().out
    assert "Failed items, 10 of 12" in told
    assert told.count("no cards") == 10


def test_nothing_is_printed_where_nothing_failed(capsys: pytest.CaptureFixture[str]) -> None:
    """No empty table."""
    _failed_items(Failed(), run(0))  # type: ignore[arg-type]
    assert capsys.readouterr().out == ""
