"""The Tune page over the fake service: every sweep that there can be, the form, what it sends, what it refuses."""

from __future__ import annotations

from decimal import Decimal

import pytest
from streamlit.testing.v1 import AppTest

from core.base.views import SweepEstimate
from core.practice import PRESETS
from core.tuning.sweep_order import SweepOrder
from core.ui.sentences import USUAL
from core.ui.texts import LANGUAGES, knows
from tests.support.fake_service import FakeService
from tests.support.screen import OpenPage, words

SWEEPS = ("sweep-done", "sweep-live", "sweep-old", "sweep-unmet", "sweep-failed", "sweep-none", "sweep-search")


def assert_well(app: AppTest) -> None:
    assert not app.exception, app.exception


def press(app: AppTest, label: str) -> AppTest:
    button = next(b for b in app.button if label in b.label)
    assert not button.disabled
    return button.click().run()


def start_button(app: AppTest) -> bool:
    """Whether the start can be pressed."""
    return not next(b for b in app.button if b.label == "Start the sweep").disabled


@pytest.mark.parametrize("scene", ["full", "empty", "hostile"])
@pytest.mark.parametrize("lang", list(LANGUAGES))
def test_the_page_opens_by_its_link_in_every_scene_and_language(open_page: OpenPage, scene: str, lang: str) -> None:
    """A link leads straight to the page, with or without sweeps to show."""
    app = open_page("tune", scene=scene, lang=lang)
    assert_well(app)
    assert app.title


@pytest.mark.parametrize("sweep", SWEEPS)
@pytest.mark.parametrize("lang", list(LANGUAGES))
def test_every_state_of_a_sweep_is_shown(open_page: OpenPage, sweep: str, lang: str) -> None:
    """Finished, running, failed, without a point, without a model."""
    assert_well(open_page("tune", sweep=sweep, lang=lang))


def test_without_any_sweep_the_page_says_what_one_is(open_page: OpenPage) -> None:
    """Nothing imported and nothing swept: both are said, and the rehearsals are there."""
    told = words(open_page("tune", scene="empty"))
    assert "No sweep yet" in told
    assert "python -m core import" in told


def test_a_finished_sweep_says_its_knee_in_a_sentence(open_page: OpenPage) -> None:
    """The verdict names the limit, what it gives and what the best is."""
    told = words(open_page("tune", sweep="sweep-done"))
    assert "calls in flight are enough" in told
    assert "/s at best" in told


def test_a_target_that_no_limit_meets_names_the_best_that_can_be_had(open_page: OpenPage) -> None:
    """The lowest p95 and where it is to be had."""
    told = words(open_page("tune", sweep="sweep-unmet"))
    assert "No limit keeps p95 within 800 ms" in told
    assert "The lowest p95 is 1.4 s, at 1" in told


def test_a_sweep_that_ended_early_says_why(open_page: OpenPage) -> None:
    """The reason of the run stands above what was measured."""
    told = words(open_page("tune", sweep="sweep-failed"))
    assert "The sweep is paused" in told
    assert "No endpoint answers" in told


def test_an_unknown_sweep_in_the_link_is_named_and_the_page_goes_on(open_page: OpenPage) -> None:
    """The newest is shown instead."""
    told = words(open_page("tune", sweep="nope"))
    assert "There is no sweep 'nope'" in told
    assert "calls in flight are enough" in told


def test_one_click_applies_the_knee(open_page: OpenPage, fake: FakeService) -> None:
    """The button says the limit and sends it once."""
    app = press(open_page("tune", sweep="sweep-done"), "as the limit")
    assert_well(app)
    assert [c for c in fake.sent if c[0] == "apply"] == [("apply", "sweep-done", 116, "local")]


def test_a_sweep_under_way_can_be_stopped(open_page: OpenPage, fake: FakeService) -> None:
    """It is a run: stopping it is cancelling that."""
    press(open_page("tune", sweep="sweep-live"), "Stop")
    assert ("control", "sweep-live", "cancel", "", "local", "") in fake.sent


def test_the_start_sends_what_the_form_says_once(open_page: OpenPage, fake: FakeService) -> None:
    """A grid on the configured endpoint; the view then is the new sweep."""
    app = open_page("tune")
    app.segmented_control(key="tune_way").set_value("grid").run()
    app.text_input(key="tune_grid").set_value("8, 2, 4, 4").run()
    app = press(app, "Start the sweep")
    assert_well(app)
    assert [c for c in fake.sent if c[0] == "sweep"] == [
        ("sweep", "restaurant-reviews", "all", "llm", (2, 4, 8), "practice", None, "local")
    ]
    assert app.query_params["sweep"] == "sweep-live"


def test_a_rehearsal_is_one_click_away(open_page: OpenPage, fake: FakeService) -> None:
    """The preset becomes the server of the next sweep, which costs nothing."""
    app = open_page("tune")
    app.button(key="rehearse-kv-limited").click().run()
    assert app.selectbox(key="tune_server").value == "preset:kv-limited"
    assert "simulated: nothing is charged" in words(app)
    app.number_input(key="tune-items-restaurant-reviews").set_value(200).run()
    press(app, "Start the sweep")
    assert next(c for c in fake.sent if c[0] == "sweep")[5:] == (None, "kv-limited", "local")


def test_a_search_sweep_asks_for_no_server(open_page: OpenPage) -> None:
    """Searches have one backend, and cost nothing."""
    app = open_page("tune")
    app.segmented_control(key="tune_resource").set_value("search").run()
    assert_well(app)
    assert not [s for s in app.selectbox if s.key == "tune_server"]
    assert "Cost: nothing" in words(app)


@pytest.mark.parametrize(
    ("grid", "wrong"), [("1, x, 4", "'x' is not a limit"), ("0", "'0' is not a limit"), (",", "names no limit")]
)
def test_a_grid_that_is_none_is_said_on_the_spot(open_page: OpenPage, grid: str, wrong: str) -> None:
    """The word that is wrong, and how to write it; nothing can be started."""
    app = open_page("tune")
    app.segmented_control(key="tune_way").set_value("grid").run()
    app.text_input(key="tune_grid").set_value(grid).run()
    assert wrong in words(app)
    assert not [b for b in app.button if b.label == "Start the sweep"]


def test_a_limit_above_the_endpoints_own_is_said(open_page: OpenPage) -> None:
    """What the service refuses stands where the estimate would."""
    app = open_page("tune")
    app.segmented_control(key="tune_way").set_value("grid").run()
    app.text_input(key="tune_grid").set_value("1, 2000").run()
    assert "above endpoint" in words(app)


def test_a_sweep_above_the_budget_cannot_be_started(open_page: OpenPage) -> None:
    """The warning names both sums."""
    app = open_page("tune")
    app.number_input(key="tune_budget").set_value(0.01).run()
    assert "more than the budget of $0.01" in "\n".join(w.value for w in app.warning)
    assert not start_button(app)


def test_too_few_items_cannot_be_started_and_few_are_told(open_page: OpenPage) -> None:
    """One item is enough for no limit; forty are enough for some."""
    app = open_page("tune")
    app.number_input(key="tune-items-restaurant-reviews").set_value(1).run()
    assert "too few for even the lowest limit" in "\n".join(w.value for w in app.warning)
    assert not start_button(app)
    app.number_input(key="tune-items-restaurant-reviews").set_value(40).run()
    assert "40 items are enough for" in "\n".join(i.value for i in app.info)
    assert start_button(app)


@pytest.mark.parametrize(("cost", "question"), [("0.5", "agree"), ("50", "confirm"), (None, "confirm")])
def test_real_money_is_confirmed(
    open_page: OpenPage, fake: FakeService, monkeypatch: pytest.MonkeyPatch, cost: str | None, question: str
) -> None:
    """A tick for a little; the number of calls for much, or where nobody knows how much."""
    usd = None if cost is None else (Decimal(cost), Decimal(cost))
    told = SweepEstimate((1, 2), 40, 10, 240, (1, 2), (1, 1), usd, None, "caps")

    def estimated(order: SweepOrder) -> SweepEstimate:
        return told

    monkeypatch.setattr(fake, "estimate_sweep", estimated)
    app = open_page("tune")
    assert not start_button(app)
    if question == "agree":
        app.checkbox(key="tune_agree").check().run()
    else:
        app.text_input(key="tune_confirm").set_value("40").run()
    assert start_button(app)


def test_a_refusal_of_the_service_is_shown(open_page: OpenPage, fake: FakeService) -> None:
    """Another tuner on the endpoint: the service's own words."""
    fake.refuse = "Run run-live tunes endpoint 'practice' already; wait for its end or stop it."
    app = press(open_page("tune"), "Start the sweep")
    assert "tunes endpoint 'practice' already" in words(app)


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_preset_is_documented_on_screen(preset: str) -> None:
    """What it imitates, its law and its knee, in both languages (the catalogues have the same keys)."""
    for what in ("name", "imitates", "law", "knee"):
        assert knows(f"preset.{preset}.{what}")


def test_what_the_engine_says_of_a_sweep_is_said_in_korean_too() -> None:
    """The run's reason is one of the usual sentences."""
    found = next(
        key for pattern, key in USUAL if pattern.fullmatch("The sweep is through: 7 limits measured; use 116.")
    )
    assert found == "said.swept"
