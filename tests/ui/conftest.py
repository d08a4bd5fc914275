"""Pages over the fake service: `open_page("run", scene="empty")` runs one page in a fresh session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.ui import engine
from tests.support.fake_service import FakeService
from tests.support.screen import OpenPage

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, FakeService]]:
    """The services that pages opened in this test, by scene; caches are empty before and after."""
    opened: dict[str, FakeService] = {}
    st.cache_resource.clear()
    st.cache_data.clear()
    monkeypatch.setattr(engine, "open_service", lambda: opened["scene"])
    yield opened
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def open_page(fakes: dict[str, FakeService]) -> OpenPage:
    """Run a page as a visitor with a link would: `open_page(name, scene=..., lang=..., **query)`."""

    def opening(name: str, *, scene: str = "full", lang: str = "en", **query: str) -> AppTest:
        fakes.setdefault("scene", FakeService(scene))
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
        app.switch_page(f"pages/{name}.py")
        for key, value in {"lang": lang, **query}.items():
            app.query_params[key] = value
        return app.run()

    return opening


@pytest.fixture
def fake(fakes: dict[str, FakeService]) -> FakeService:
    """The service of a test that sets it up itself."""
    fakes["scene"] = FakeService("full")
    return fakes["scene"]
