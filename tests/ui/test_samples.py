"""The first import tells one share that grows from its beginning to its end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from core import samples
from core.base.settings import load_settings
from core.base.workload_files import find_workload
from core.samples import Samples


def test_the_share_grows_over_all_files(monkeypatch: pytest.MonkeyPatch) -> None:
    def two_steps(_path: object, *, progress: Any, **_: object) -> None:
        for done in (50, 100):
            progress(SimpleNamespace(bytes_done=done, bytes_total=100))

    monkeypatch.setattr(samples, "import_file", two_steps)
    settings = load_settings(env={}, cli={})
    catalogue = SimpleNamespace(count=lambda _kind: 0, put_items=lambda _items: None)
    shares: list[float] = []
    wanted = find_workload("restaurant-reviews", settings.workloads)
    Samples(SimpleNamespace(catalogue=catalogue), settings, {}).ensure(  # type: ignore[arg-type]
        [wanted], lambda _phase, share: shares.append(share)
    )
    assert shares == [0.25, 0.5, 0.75, 1.0]
