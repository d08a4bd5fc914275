"""The day's budget on screen, and what a stage's cost was paid for."""

from __future__ import annotations

from decimal import Decimal

import pytest
from streamlit.testing.v1 import AppTest

from core.base.views import DayView
from core.store.spending import reason
from core.ui import frame
from core.ui.access import Person, Role
from core.ui.components.day import day_sentence, day_spent
from core.ui.sentences import said
from tests.support.fake_service import FakeService
from tests.support.screen import OpenPage, words


def set_budget(app: AppTest) -> AppTest:
    return next(b for b in app.button if b.label == "Set").click().run()


def day(fake: FakeService) -> list[tuple[object, ...]]:
    return [s for s in fake.sent if s[0] in ("day_budget", "resume")]


@pytest.mark.parametrize(
    ("view", "told"),
    [
        (DayView(Decimal("1.2"), Decimal(5)), "Today: $1.20 of $5.00 · $3.80 left"),
        (DayView(Decimal(6), Decimal(5)), "Today: $6.00 of $5.00 · $0.00 left"),
        (DayView(Decimal(6), None), "Today: $6.00 spent by all runs; no budget for the day"),
        (DayView(Decimal(0), Decimal(0)), "Today: $0.00 of $0.00 · $0.00 left"),
    ],
)
def test_the_day_is_a_sentence(view: DayView, told: str) -> None:
    assert day_sentence(view) == told


def test_a_budget_of_nothing_is_shown_without_dividing_by_it(fake: FakeService, open_page: OpenPage) -> None:
    fake.day_budget = Decimal(0)
    app = open_page("costs", run="run-done")
    assert not app.exception
    assert any("Today" in c.value for c in app.caption)


@pytest.mark.parametrize("page", ["costs", "run"])
def test_who_operates_sets_the_days_budget(fake: FakeService, open_page: OpenPage, page: str) -> None:
    fake._runs = [row for row in fake._runs if row[0] != "run-live"]
    app = open_page(page)
    app.number_input(key="day-budget-5").set_value(12.5).run()
    set_budget(app)
    assert day(fake) == [("day_budget", Decimal("12.5"), "local")]


def test_a_refused_budget_says_why(fake: FakeService, open_page: OpenPage) -> None:
    app = open_page("costs", run="run-done")
    fake.refuse = "the disk is full"
    assert "the disk is full" in words(set_budget(app))


def test_a_viewer_sees_the_day_and_cannot_set_it(
    fake: FakeService, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "sign_in", lambda: Person("guest@example.com", Role.VIEWER))
    app = open_page("costs", run="run-done")
    assert app.button(key="day_set").disabled


def test_a_budget_of_the_command_line_is_not_set_here(fake: FakeService, open_page: OpenPage) -> None:
    fake.day_by_hand = True
    assert open_page("costs", run="run-done").button(key="day_set").disabled


def test_a_run_that_the_day_stopped_goes_on_with_a_higher_day(fake: FakeService, open_page: OpenPage) -> None:
    why = reason(5_000_000_000, 4_998_000_000, "2026-03-01")
    fake._runs = [(*row[:3], why, *row[4:]) if row[0] == "run-budget" else row for row in fake._runs]
    assert day_spent(fake.run("run-budget"))
    app = open_page("run", run="run-budget")
    assert not [n for n in app.number_input if n.key == "new-budget-run-budget"]
    app.number_input(key="day-budget-5").set_value(1.0).run()
    assert app.button(key="resume").disabled  # less than what is spent
    app.number_input(key="day-budget-5").set_value(9.0).run()
    app.button(key="resume").click().run()
    assert day(fake) == [("day_budget", Decimal("9.0"), "local"), ("resume", "run-budget", "local")]


@pytest.mark.parametrize(
    ("spent", "budget", "offered"), [("4.99", "5", "10"), ("7", "5", "14"), ("0.3", "5", "5"), ("3", None, None)]
)
def test_more_is_offered_unless_a_new_day_has_begun(spent: str, budget: str | None, offered: str | None) -> None:
    from core.ui.components.day import _higher

    told = _higher(DayView(Decimal(spent), None if budget is None else Decimal(budget)))
    assert told == (None if offered is None else Decimal(offered))


def test_the_reason_of_the_engine_is_told_without_its_options() -> None:
    told = said(reason(5_000_000_000, 4_998_000_000, "2026-03-01"))
    assert told.startswith("The day's budget of 5 USD is reached: 4.998000 of 2026-03-01")
    assert "--budget-day" not in told


def test_the_table_says_what_was_read_and_written(open_page: OpenPage) -> None:
    rows = open_page("costs", run="run-done").dataframe[0].value
    aspect = rows[rows["stage"] == "Aspect summary"].iloc[0]
    assert (aspect["input_usd"], aspect["cached_usd"], aspect["output_usd"]) == ("$0.5000", "$0.0250", "$0.2500")
    assert set(rows[rows["stage"] == "Search"]["input_usd"]) == {"–"}


def test_without_known_prices_the_table_has_no_such_columns(open_page: OpenPage) -> None:
    assert "input_usd" not in open_page("costs", run="run-cards").dataframe[0].value.columns
