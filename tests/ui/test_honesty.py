"""What is simulated, unknown or broken is called so."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from core.base.endpoints import EndpointConfig
from core.base.records import RunStatus
from core.base.views import Forecast, RunView
from core.ui.components.endpoints import kind_of, run_models, simulated
from core.ui.numbers import money
from core.ui.sentences import forecast_cost, trouble, trouble_sentence
from tests.support.fake_service import FakeService
from tests.support.screen import OpenPage, words

SIMULATED = "Its speed and its cost are simulated; nothing is charged."


def service(*endpoints: EndpointConfig) -> Any:
    settings = SimpleNamespace(endpoints=endpoints)
    return SimpleNamespace(settings=settings, settings_now=lambda: settings)


def run(**settings: object) -> RunView:
    return RunView("r", "w", RunStatus.RUNNING, "", 0.0, None, None, settings)


@pytest.mark.parametrize("page", ["run", "performance", "costs"])
def test_a_run_on_the_practice_server_says_that_it_is_simulated(open_page: OpenPage, page: str) -> None:
    told = words(open_page(page, run="run-done"))
    assert SIMULATED in told
    assert page == "performance" or "Cost, simulated" in told


def test_the_chosen_model_says_what_it_costs(open_page: OpenPage) -> None:
    app = open_page("run", run="run-live")
    next(b for b in app.button if b.label == "New run").click().run()
    assert SIMULATED in words(app)
    app.selectbox(key="model").set_value("extractive").run()
    assert "embedded, quotes the reviews, costs nothing" in words(app)
    assert SIMULATED not in words(app)


def test_only_a_model_that_no_real_server_may_answer_is_simulated() -> None:
    practice = EndpointConfig("practice", "practice", models=("small",))
    assert kind_of(service(practice), "small") == "practice"
    assert kind_of(service(practice), "gpt") == "unknown"
    assert kind_of(service(practice, EndpointConfig("any")), "gpt") == "openai"
    assert kind_of(service(practice, EndpointConfig("pool", models=("small",))), "small") == "mixed"


def test_a_run_with_a_server_of_its_own_is_not_called_simulated() -> None:
    practice = service(EndpointConfig("practice", "practice", models=("small",)))
    stages = {"s": {"model": "small"}}
    assert simulated(practice, run(stages=stages), ())
    assert not simulated(practice, run(stages=stages, connections={"llm_url": "http://gpu"}), ())
    assert not simulated(practice, run(), ())


def test_models_that_answered_count_beside_those_that_were_given() -> None:
    stats = FakeService("full").stages("run-done")
    assert run_models(run(stages={"s": {"model": "gpt"}}), stats) == ["gpt", "practice-small", "practice-large"]


def test_a_cost_without_history_is_not_known_rather_than_unpriced() -> None:
    none = Forecast(1, 1, 1, None, None, "none")
    assert forecast_cost(none) == "not known yet"
    assert forecast_cost(replace(none, basis="history")) == "unpriced"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("0", "$0.00"), ("0.0094", "$0.0094"), ("0.000094", "$0.000094"), ("0.00012", "$0.00012"), ("12.5", "$12.50")],
)
def test_tiny_sums_keep_digits_that_say_something(amount: str, shown: str) -> None:
    assert money(Decimal(amount)) == shown


@pytest.mark.parametrize(
    ("reason", "begins"),
    [
        ("No endpoint answers. gpu: refused", "No model server answers"),
        ("api.example.com answered 401: no. Check the key.", "A server turns the requests away"),
        ("The disk is full.", "The run has paused by itself"),
    ],
)
def test_a_run_that_paused_by_itself_says_what_to_do(reason: str, begins: str) -> None:
    paused = replace(run(), status=RunStatus.PAUSED, reason=reason)
    assert trouble_sentence(paused).startswith(begins)


def test_a_run_that_the_operator_paused_has_no_trouble() -> None:
    paused = replace(run(), status=RunStatus.PAUSED, owner_alive=True)
    assert trouble(replace(paused, reason="Paused by dana.")) is None
    assert trouble(replace(paused, reason="lunch")) is None
    assert trouble(run()) is None


def test_trouble_stands_on_the_page_with_a_way_on(open_page: OpenPage) -> None:
    app = open_page("run", run="run-paused")
    assert "A server turns the requests away" in words(app)
    assert [b for b in app.button if b.label == "Resume" and not b.disabled]


def test_failed_items_say_why(open_page: OpenPage) -> None:
    app = open_page("run", run="run-done")
    assert "Failed items, 4 of 4" in words(app)
    assert any("504 from practice after 3 attempts" in str(frame.value) for frame in app.dataframe)
