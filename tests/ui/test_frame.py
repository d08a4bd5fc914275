"""What stands around every page: one service, the first import, sign-in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st

from core.base.errors import SearchError
from core.ui import access, engine, frame
from core.ui.access import Person, Role
from core.ui.samples import SampleImport
from tests.support.fake_service import FakeService
from tests.support.screen import OpenPage, words


def test_all_sessions_share_one_service(
    fake: FakeService, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    monkeypatch.setattr(engine, "open_service", lambda: (opened.append(1), fake)[1])
    for page in ("run", "results", "costs"):
        open_page(page)
    assert opened == [1]


def test_a_changed_core_closes_the_old_service_and_opens_the_next(
    fake: FakeService, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_page("run")
    monkeypatch.setattr(engine, "sources", lambda: "other code")
    open_page("run")
    assert fake.closed


def test_the_fingerprint_follows_the_core_and_not_the_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ui").mkdir()
    (tmp_path / "ui" / "page.py").write_text("1")
    (tmp_path / "engine.py").write_text("1")
    monkeypatch.setattr(engine, "CORE", tmp_path)

    def fingerprint() -> str:
        engine.sources.cache_clear()
        return engine.sources()

    first = fingerprint()
    (tmp_path / "ui" / "page.py").write_text("something else")
    assert fingerprint() == first
    (tmp_path / "engine.py").write_text("something else")
    assert fingerprint() != first
    engine.sources.cache_clear()


class SlowImport(FakeService):
    """An import that tells how far it is and waits to be let go."""

    def __init__(self) -> None:
        super().__init__("full")
        self.go = threading.Event()
        self.told = threading.Event()

    def ensure_samples(self, progress: Callable[[str, float], None] | None = None) -> int:
        assert progress is not None
        progress("reviews", 0.4)
        self.told.set()
        self.go.wait(10)
        return 12


def test_the_first_import_runs_in_a_thread_and_tells_how_far_it_is() -> None:
    service = SlowImport()
    work = SampleImport(service)  # type: ignore[arg-type]
    service.told.wait(10)
    assert (work.share, work.done) == (0.4, False)
    service.go.set()
    assert work.wait(10)
    assert work.problem is None


def test_a_failed_import_says_why_and_the_page_goes_on(
    fake: FakeService, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_progress: object = None) -> int:
        msg = "a second process holds the index at data/brigade.index: close it"
        raise SearchError(msg)

    monkeypatch.setattr(fake, "ensure_samples", refuse)
    told = words(open_page("run", run="run-live"))
    assert "could not be imported" in told
    assert "a second process holds the index" in told
    assert "Steer" in told


def signed_in(monkeypatch: pytest.MonkeyPatch, secrets: dict[str, object], **user: object) -> None:
    monkeypatch.setattr(st, "secrets", secrets)
    monkeypatch.setattr(st, "user", SimpleNamespace(get=user.get, is_logged_in=bool(user)))


def test_without_sign_in_configured_the_local_user_operates(monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in(monkeypatch, {})
    assert access.sign_in() == Person("local", Role.OPERATOR)


def test_a_signed_in_user_has_the_role_of_the_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"auth": {"client_id": "x"}, "roles": {"operator": ["chef@example.com"], "viewer": ["*"]}}
    signed_in(monkeypatch, secrets, email="chef@example.com")
    assert access.sign_in() == Person("chef@example.com", Role.OPERATOR)
    signed_in(monkeypatch, secrets, email="guest@example.com")
    assert access.sign_in().role == Role.VIEWER


@pytest.mark.parametrize("page", ["run", "results", "performance", "costs"])
@pytest.mark.parametrize(
    "user", [{}, {"email": "stranger@example.com"}, {"email": "chef@example.com", "email_verified": False}]
)
def test_no_page_shows_anything_to_a_stranger(
    fake: FakeService, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, page: str, user: dict[str, object]
) -> None:
    secrets = {"auth": {"client_id": "x"}, "roles": {"operator": ["chef@example.com"]}}
    signed_in(monkeypatch, secrets, **user)
    app = open_page(page, run="run-done")
    assert app.title[0].value in ("Sign in", "No access")
    assert not app.metric
    assert not app.selectbox
    assert fake.sent == []


def test_every_page_is_in_the_navigation() -> None:
    named = {name for pages in frame.PAGES.values() for name, _ in pages}
    assert named == {p.stem for p in (frame.ROOT / "pages").glob("*.py")}
