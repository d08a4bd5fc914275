"""Doing a restaurant again, or all that failed; the way back; what flags say and how they are found."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.ui import frame
from core.ui.access import Person, Role
from core.ui.texts import knows
from tests.support.fake_service import FakeService
from tests.support.screen import OpenPage, words


def again(app: AppTest) -> AppTest:
    """Press the button in the popover."""
    return next(b for b in app.button if b.label == "Do it again").click().run()


def sent(fake: FakeService) -> list[tuple[object, ...]]:
    return [s for s in fake.sent if s[0] in ("rerun", "again")]


def test_a_restaurant_is_done_again_from_its_search_on_and_shown(fake: FakeService, open_page: OpenPage) -> None:
    app = again(open_page("results", run="run-done", item="r0003"))
    assert not app.exception
    assert sent(fake) == [("rerun", "run-done", "r0003", None, "local")]
    assert app.query_params["run"] == "run-again-7"


def test_a_single_stage_is_done_again(fake: FakeService, open_page: OpenPage) -> None:
    app = open_page("results", run="run-done", item="r0003")
    assert "Only: Total summary" in app.selectbox(key="again-stage-restaurant-reviews").options
    app.selectbox(key="again-stage-restaurant-reviews").set_value("total_summary").run()
    again(app)
    assert sent(fake) == [("rerun", "run-done", "r0003", "total_summary", "local")]


def test_in_a_run_under_way_it_leads_to_the_new_run_too(fake: FakeService, open_page: OpenPage) -> None:
    app = again(open_page("results", run="run-live", item="r0000"))
    assert app.query_params["run"] == "run-again-7"


def test_the_new_run_leads_back_to_the_earlier_one(open_page: OpenPage) -> None:
    app = again(open_page("results", run="run-done", item="r0003"))
    back = next(b for b in app.button if b.label == "Back to run run\\-done")
    assert back.click().run().query_params["run"] == "run-done"


def test_a_run_of_its_own_leads_nowhere_back(open_page: OpenPage) -> None:
    assert not [b for b in open_page("results", run="run-done").button if b.label.startswith("Back to")]


def test_an_item_that_waits_cannot_be_done_again(open_page: OpenPage) -> None:
    app = open_page("results", run="run-stopped", item="r0200")
    assert not [b for b in app.button if b.label == "Do it again"]


def test_the_failed_ones_are_run_again_in_a_run_of_their_own(fake: FakeService, open_page: OpenPage) -> None:
    app = open_page("run", run="run-done")
    app = next(b for b in app.button if b.label == r"Run the failed ones again \(4\)").click().run()
    assert not app.exception
    assert sent(fake) == [("again", "run-done", True, "local")]
    assert app.query_params["run"] == "run-again-7"


@pytest.mark.parametrize("run", ["run-crash", "run-cards", "run-live"])
def test_only_a_run_that_is_over_and_has_failures_offers_that(open_page: OpenPage, run: str) -> None:
    assert not [b for b in open_page("run", run=run).button if b.label.startswith("Run the failed")]


def test_a_refusal_is_said_and_the_page_stays(fake: FakeService, open_page: OpenPage) -> None:
    fake.refuse = "no endpoint answers: start the model server"
    app = again(open_page("results", run="run-done", item="r0003"))
    assert "no endpoint answers" in words(app)
    assert app.query_params["run"] == "run-done"


def test_the_second_click_of_a_double_click_starts_nothing(fake: FakeService, open_page: OpenPage) -> None:
    from core.ui.components.again import _do
    from core.ui.frame import Desk

    app = open_page("results", run="run-done", item="r0003")
    ticket = app.session_state["again_ticket"]
    again(app)
    _do(Desk(fake, Person("local", Role.OPERATOR)), ticket, lambda: "never")  # type: ignore[arg-type]
    assert len(sent(fake)) == 1


def test_a_viewer_can_do_nothing_again(fake: FakeService, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "sign_in", lambda: Person("guest@example.com", Role.VIEWER))
    for page in ("results", "run"):
        app = open_page(page, run="run-done", item="r0003")
        found = [b for b in app.button if "again" in b.label]
        assert found
        assert all(b.disabled for b in found)


def test_what_should_be_read_is_found_by_its_flag(open_page: OpenPage) -> None:
    app = open_page("results", run="run-done")
    app.selectbox(key="flag-run-done").set_value("fallback").run()
    rows = app.dataframe[0].value
    assert len(rows) == 15
    assert "24 found" in words(app)
    assert "fallback model: review" in words(app)


@pytest.mark.parametrize("flag", ["fallback", "truncated", "trimmed", "cached", "reused", "refused", "uncited"])
def test_every_flag_of_the_engine_has_words_and_help(flag: str) -> None:
    assert knows(f"flag.{flag}")
    assert knows(f"flag_says.{flag}")
