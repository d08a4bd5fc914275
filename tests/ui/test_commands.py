"""Buttons and forms reach the service, once, and only when they may."""

from __future__ import annotations

from decimal import Decimal

import pytest
from streamlit.testing.v1 import AppTest

from core.base.views import Forecast
from core.ui import frame
from core.ui.access import Person, Role
from tests.support.fake_service import FakeService
from tests.support.screen import OpenPage, words


def compose(open_page: OpenPage, **query: str) -> AppTest:
    """The Run page with a new run to be chosen."""
    app = open_page("run", **query)
    press(app, "New run")
    return app


def press(app: AppTest, label: str) -> AppTest:
    found = [b for b in app.button if b.label.startswith(label)]
    assert found, f"no button {label!r} among {[b.label for b in app.button]}"
    return found[0].click().run()


def commands(fake: FakeService) -> list[tuple[object, ...]]:
    return [s for s in fake.sent if s[0] in ("start", "control", "resume")]


def test_start_sends_the_choices_and_shows_the_new_run(fake: FakeService, open_page: OpenPage) -> None:
    app = compose(open_page)
    app.slider(key="llm_limit").set_value(24).run()
    press(app, "Start with 240 items")
    (sent,) = commands(fake)
    assert sent == ("start", "restaurant-reviews", "all", 24, 8, "practice-small", None, "local")
    assert app.query_params["run"] == "run-new-7"


def test_a_spent_ticket_starts_nothing(fake: FakeService, open_page: OpenPage) -> None:
    from core.ui.components.launch import Order, _start
    from core.ui.frame import Desk

    app = compose(open_page)
    old = next(b for b in app.button if b.label.startswith("Start with")).key
    press(app, "Start with")
    press(app, "New run")
    assert next(b for b in app.button if b.label.startswith("Start with")).key != old
    order = Order("restaurant-reviews", "all", 240, 8, 8, None, None, None)
    _start(Desk(fake, Person("local", Role.OPERATOR)), order, old.removeprefix("start-"))  # type: ignore[arg-type]
    assert len(commands(fake)) == 1


def test_a_refused_start_says_why_and_keeps_the_choices(fake: FakeService, open_page: OpenPage) -> None:
    app = compose(open_page)
    fake.refuse = "http://127.0.0.1:8000 does not answer: start the model server or choose another model"
    press(app, "Start with")
    assert "The run was not started" in words(app)
    assert "does not answer" in words(app)


def test_an_expensive_run_must_be_typed(
    fake: FakeService, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    dear = Forecast(240, 240, 960, (1.0, 2.0, 3.0), (Decimal(40), Decimal(50), Decimal(60)), "history")
    monkeypatch.setattr(fake, "forecast", lambda *_a, **_k: dear)
    app = compose(open_page)
    assert next(b for b in app.button if b.label.startswith("Start")).disabled
    app.text_input(key="confirm").set_value("240").run()
    assert not next(b for b in app.button if b.label.startswith("Start")).disabled


def test_the_first_so_many_and_the_found_reach_the_service(fake: FakeService, open_page: OpenPage) -> None:
    app = compose(open_page)
    app.segmented_control(key="scope").set_value("first").run()
    app.number_input(key="first-restaurant-reviews").set_value(7).run()
    press(app, "Start with 7 items")
    assert commands(fake)[-1][2] == "7"
    press(app, "New run")
    app.text_input(key="search-restaurant-reviews").set_value("r0001").run()
    app.segmented_control(key="scope").set_value("found").run()
    press(app, "Start with 1 item")
    assert commands(fake)[-1][2] == ["r0001"]


def test_pause_and_stop_reach_the_service(fake: FakeService, open_page: OpenPage) -> None:
    app = open_page("run", run="run-live")
    press(app, "Pause")
    assert commands(fake)[-1] == ("control", "run-live", "pause", "", "local", "")
    press(app, "Stop this run")
    assert commands(fake)[-1] == ("control", "run-live", "cancel", "", "local", "")


def test_a_crashed_run_is_resumed_from_the_ledger(fake: FakeService, open_page: OpenPage) -> None:
    press(open_page("run", run="run-crash"), "Resume")
    assert commands(fake) == [("resume", "run-crash", "local")]


def test_a_run_out_of_budget_goes_on_with_a_higher_one(fake: FakeService, open_page: OpenPage) -> None:
    app = open_page("run", run="run-budget")
    app.number_input(key="new-budget-run-budget").set_value(1.25).run()
    press(app, "Resume with 1.25 USD")
    assert commands(fake) == [("resume", "run-budget", "local", ("budget", Decimal("1.25")))]


def test_a_high_budget_must_be_typed(fake: FakeService, open_page: OpenPage) -> None:
    app = open_page("run", run="run-budget")
    app.number_input(key="new-budget-run-budget").set_value(50.0).run()
    assert app.button(key="resume").disabled
    app.text_input(key="confirm_budget").set_value("50.00").run()
    press(app, "Resume with 50.00 USD")
    assert commands(fake)[-1][-1] == ("budget", Decimal("50.0"))


def test_a_second_click_on_resume_does_nothing(fake: FakeService, open_page: OpenPage) -> None:
    from core.ui.components.orders import resume
    from core.ui.frame import Desk

    open_page("run", run="run-crash")
    desk, run = Desk(fake, Person("local", Role.OPERATOR)), fake.run("run-crash")  # type: ignore[arg-type]
    resume(desk, run)
    resume(desk, run)
    assert len(commands(fake)) == 1


def test_apply_sends_only_what_changed_with_its_reason(fake: FakeService, open_page: OpenPage) -> None:
    app = open_page("run", run="run-live")
    app.slider(key="llm-limit-run-live-16").set_value(32)
    next(i for i in app.text_input if i.label == "Reason").set_value("GPU 3 joined")
    press(app, "Apply")
    assert commands(fake) == [("control", "run-live", "llm_limit", "32", "local", "GPU 3 joined")]


def test_apply_hands_a_limit_to_the_algorithm_within_a_target(fake: FakeService, open_page: OpenPage) -> None:
    app = open_page("run", run="run-live")
    next(toggle for toggle in app.toggle if "model limit" in toggle.label).set_value(True)
    next(n for n in app.number_input if "p95" in n.label).set_value(4.0)
    press(app, "Apply")
    assert [sent[2:4] for sent in commands(fake)] == [("llm_limit", "auto"), ("slo_p95", "4")]


def test_a_target_without_the_algorithm_is_not_sent(fake: FakeService, open_page: OpenPage) -> None:
    app = open_page("run", run="run-live")
    next(n for n in app.number_input if "p95" in n.label).set_value(4.0)
    press(app, "Apply")
    assert commands(fake) == []


def test_a_run_starts_with_an_automatic_limit_and_its_target(fake: FakeService, open_page: OpenPage) -> None:
    app = open_page("run")
    press(app, "New run")
    app.toggle(key="llm_auto").set_value(True).run()
    assert not [s for s in app.slider if s.key == "llm_limit"]
    app.number_input(key="slo_p95").set_value(3.5).run()
    next(b for b in app.button if b.label.startswith("Start with")).click().run()
    started = next(sent for sent in commands(fake) if sent[0] == "start")
    assert started[3:6] == ("auto", 8, 3.5)


def test_apply_can_change_the_model_of_a_stage(fake: FakeService, open_page: OpenPage) -> None:
    app = open_page("run", run="run-live")
    next(s for s in app.selectbox if s.label == "Change the model of").set_value("total_summary")
    next(s for s in app.selectbox if s.label == "to").set_value("practice-large")
    press(app, "Apply")
    assert commands(fake)[-1][2:4] == ("model", "total_summary=practice-large")


def test_a_viewer_can_look_and_not_touch(
    fake: FakeService, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "sign_in", lambda: Person("guest@example.com", Role.VIEWER))
    app = open_page("run", run="run-live")
    assert all(b.disabled for b in app.button if b.label in ("Pause", "Stop this run", "Apply"))
    press(app, "New run")
    assert next(b for b in app.button if b.label.startswith("Start")).disabled
    assert "Only operators" in words(app)
    assert commands(fake) == []


def test_a_run_is_kept_while_pages_change(fake: FakeService, open_page: OpenPage) -> None:
    app = open_page("results", run="run-cards")
    app.switch_page("pages/costs.py").run()
    assert app.query_params["run"] == "run-cards"


def test_the_language_is_switched_and_kept(open_page: OpenPage) -> None:
    app = open_page("results", scene="empty")
    app.segmented_control(key="lang_switch").set_value("ko").run()
    assert app.title[0].value == "결과"
    assert app.query_params["lang"] == "ko"
    app.switch_page("pages/costs.py").run()
    assert app.title[0].value == "비용"
