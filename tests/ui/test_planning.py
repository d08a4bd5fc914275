"""The Tune page looks ahead: what if, by when and for how much, millions, and how far off forecasts were."""

from __future__ import annotations

from datetime import datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from streamlit.testing.v1 import AppTest

from core.ui import ahead_words, charts
from core.ui.components.tune_ahead import QUESTIONS
from core.ui.components.tune_wish import seconds_until
from core.ui.texts import LANGUAGES
from tests.support.fake_ahead import ERRORS, SCALE
from tests.support.fake_service import FakeService
from tests.support.screen import OpenPage, words

SEOUL = ZoneInfo("Asia/Seoul")


def plan(open_page: OpenPage, question: str, **query: str) -> AppTest:
    """The Tune page with a question about runs to come."""
    app = open_page("tune", view="plan", ahead=question, **query)
    assert not app.exception, app.exception
    return app


def ask(app: AppTest, label: str) -> AppTest:
    app = next(b for b in app.button if b.label == label).click().run()
    assert not app.exception, app.exception
    return app


ASK = {"what_if": "Forecast", "wish": "Find settings", "scale": "Plan"}


@pytest.mark.parametrize("question", list(QUESTIONS))
@pytest.mark.parametrize("lang", list(LANGUAGES))
@pytest.mark.parametrize("scene", ["full", "empty", "hostile"])
def test_every_question_opens_by_its_link(open_page: OpenPage, question: str, lang: str, scene: str) -> None:
    plan(open_page, question, lang=lang, scene=scene)


def test_nothing_is_simulated_before_it_is_asked(fake: FakeService, open_page: OpenPage) -> None:
    plan(open_page, "scale")
    assert not [s for s in fake.sent if s[0] == "scale"]


def test_what_if_takes_any_number_of_items(open_page: OpenPage) -> None:
    app = plan(open_page, "what_if")
    app.number_input(key="what-if-items-restaurant-reviews").set_value(5000)
    app.number_input(key="what-if-llm").set_value(32)
    told = words(ask(app, "Forecast"))
    assert "Items 5,000" in told
    assert "Time: about 9 min 22 s (7 min 30 s to 13 min 7 s)" in told


def test_an_answer_stays_while_other_things_are_clicked(open_page: OpenPage) -> None:
    app = ask(plan(open_page, "what_if"), "Forecast")
    assert "Time: about" in words(app.run())


def test_a_workload_that_never_ran_says_so(open_page: OpenPage) -> None:
    app = plan(open_page, "what_if")
    app.selectbox(key="workload").set_value("celtic-cross").run()
    told = words(ask(app, "Forecast"))
    assert "Time: not known yet" in told
    assert "never ran" in told


def test_ways_to_keep_a_wish_are_ranked_with_how_sure_they_are(open_page: OpenPage) -> None:
    app = plan(open_page, "wish")
    app.number_input(key="wish-hours").set_value(0.016)
    rows = ask(app, "Find settings").dataframe[0].value
    assert list(rows["llm_limit"]) == [16, 32, 64]
    assert list(rows["sureness"]) == ["likely", "sure", "sure"]
    assert "Aspect summary: practice-small, Total summary: practice-large" in rows.iloc[0]["models"]


def test_a_wish_that_nothing_keeps_says_the_best_and_what_would_have_to_change(open_page: OpenPage) -> None:
    app = plan(open_page, "wish")
    app.number_input(key="wish-budget").set_value(0.01)
    told = words(ask(app, "Find settings"))
    assert "Not possible with what there is" in told
    assert "Model limit 64" in told
    assert "more time: 1 h 6 min" in told
    assert "no more than 80 items" in told


def test_a_wish_for_nothing_is_asked_back(open_page: OpenPage) -> None:
    app = plan(open_page, "wish")
    app.segmented_control(key="wish-deadline").set_value("none").run()
    assert "Say a deadline or a budget" in words(ask(app, "Find settings"))


def test_a_workload_without_history_has_no_plan(open_page: OpenPage) -> None:
    app = plan(open_page, "wish")
    app.selectbox(key="workload").set_value("celtic-cross").run()
    assert "Nothing can be told yet" in words(ask(app, "Find settings"))


@pytest.mark.parametrize(
    ("now", "clock", "hours"),
    [
        (datetime(2026, 3, 1, 9, 0, tzinfo=SEOUL), time(17, 0), 8.0),
        (datetime(2026, 3, 1, 18, 0, tzinfo=SEOUL), time(17, 0), 23.0),
        (datetime(2026, 3, 28, 20, 0, tzinfo=ZoneInfo("Europe/Berlin")), time(8, 0), 11.0),  # clocks go forward
    ],
)
def test_a_time_of_day_is_the_next_one_where_the_viewer_is(now: datetime, clock: time, hours: float) -> None:
    assert seconds_until(clock, now) == hours * 3600


def test_ten_million_items_are_servers_days_and_dollars(fake: FakeService, open_page: OpenPage) -> None:
    app = plan(open_page, "scale")
    app.number_input(key="scale-hour").set_value(2.5)
    told = words(ask(app, "Plan"))
    assert ("scale", "restaurant-reviews", 10_000_000, None, 14.0, Decimal("2.5")) in fake.sent
    assert "Servers 12" in told
    assert "Days: 5.1 to 6.4 · Cost: $4,000.00 to $5,100.00" in told
    assert "40 M model calls, 32.8 G tokens read and 3.8 G written." in told


def test_with_servers_given_days_are_told_and_an_unknown_price_stays_unknown(
    fake: FakeService, open_page: OpenPage
) -> None:
    app = plan(open_page, "scale")
    app.segmented_control(key="scale-given").set_value("gpus").run()
    app = ask(app, "Plan")
    assert fake.sent[-1][3:] == (8, None, None)
    assert {m.label: m.value for m in app.metric}["Cost"] == "unpriced"
    assert "No price is known" in words(app)


def test_scale_without_history_says_what_to_do(open_page: OpenPage) -> None:
    app = plan(open_page, "scale")
    app.selectbox(key="workload").set_value("celtic-cross").run()
    assert "This workload has not run yet" in words(ask(app, "Plan"))


def test_forecasts_stand_against_what_was_measured(open_page: OpenPage) -> None:
    rows = plan(open_page, "errors").dataframe[0].value
    assert list(rows["off"]) == ["+6%", "+300%"]
    assert list(rows["noted"]) == ["", "changed on the way"]


def test_the_chart_has_a_point_for_each_run_and_hollow_ones_for_changed_runs() -> None:
    told = {"expected_s": "expected", "measured_s": "measured", "as_told": "same"}
    line, points = charts.forecast_errors(ERRORS, told, charts.LIGHT).data
    assert list(points.y) == [218.0, 120.0]
    assert list(points.error_x.array) == [55.0, 60.0]
    assert list(points.marker.symbol) == ["circle", "circle-open"]
    assert line.x[0] < 20
    assert line.x[1] > 260


def test_a_viewer_may_look_ahead(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.ui import frame
    from core.ui.access import Person, Role

    monkeypatch.setattr(frame, "sign_in", lambda: Person("guest@example.com", Role.VIEWER))
    assert "Time: about" in words(ask(plan(open_page, "what_if"), "Forecast"))


@pytest.mark.parametrize(("value", "word"), [(950, "950"), (40_000_000, "40 M"), (3.28e10, "32.8 G")])
def test_big_numbers_have_three_digits(value: float, word: str) -> None:
    assert ahead_words.big(value) == word


def test_a_scale_plan_names_its_bill() -> None:
    assert ahead_words.scale_lines(SCALE)[-1] == "The cost is that of the servers' hours."
