"""Settings with history."""

from __future__ import annotations

from core.store import Store
from tests.support.clock import FakeClock


def test_a_setting_is_what_it_was_last_set_to(store: Store, clock: FakeClock) -> None:
    """The value is replaced; everything it ever was stays with who and when."""
    assert store.settings.get("llm.model") is None
    store.settings.set("llm.model", "small", "ann")
    clock.now += 5
    store.settings.set("llm.model", "large", "ben")
    assert store.settings.get("llm.model") == "large"
    assert store.settings.history("llm.model") == [(1_000.0, "small", "ann"), (1_005.0, "large", "ben")]


def test_settings_by_prefix(store: Store) -> None:
    """Only keys that begin so, wildcards of SQL being ordinary characters."""
    for key in ("a.x", "a.y", "ab", "a%z"):
        store.settings.set(key, key.upper(), "ann")
    assert store.settings.all("a.") == {"a.x": "A.X", "a.y": "A.Y"}
    assert store.settings.all("a%") == {"a%z": "A%Z"}
    assert len(store.settings.all("")) == 4
