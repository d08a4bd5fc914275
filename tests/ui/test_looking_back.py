"""The Performance page looks back: what held a run back, what changes did, which endpoints it used."""

from __future__ import annotations

import pytest
import streamlit as st

from core.base.tuning_views import Suggestion
from core.ui import tuning_words
from core.ui.texts import catalogue
from tests.support.screen import OpenPage


def test_what_held_the_run_back_comes_with_advice_and_its_gain(open_page: OpenPage) -> None:
    app = open_page("performance", run="run-done")
    assert not app.exception
    told = " ".join(text.value for text in app.text)
    assert "The model gate held the run back: it was full while calls waited, 81% of the time." in told
    assert "16 → 32" in told
    assert "+62% items per second (+10% to +90%" in told


def test_every_change_stands_with_its_reason_and_what_it_did(open_page: OpenPage) -> None:
    app = open_page("performance", run="run-done")
    rows = next(d.value for d in app.dataframe if "gain" in d.value.columns)
    newest = rows.iloc[0]
    assert (newest["who"], newest["change"]) == ("dana", "Search: 8 → 4")
    ramp = rows[rows["change"] == "Model calls gpu-1: 16 → 64"].iloc[0]
    assert ramp["rate_change"] == "8.0/s → 19.0/s"
    assert ramp["gain"] == "+138%"
    assert "75 %" in ramp["why"]


def test_what_was_expected_of_a_change_by_hand_is_told_beside_what_was_measured(open_page: OpenPage) -> None:
    app = open_page("performance", run="run-done")
    assert any("expected +40%, measured +36%" in text.value for text in app.text)


def test_the_time_saved_has_a_range_and_says_how_many_were_in_flight(open_page: OpenPage) -> None:
    app = open_page("performance", run="run-done")
    assert any("14.1 on average, 16 at most" in caption.value for caption in app.caption)


def test_a_run_without_changes_says_so_by_silence(open_page: OpenPage) -> None:
    app = open_page("performance", run="run-cards")
    assert not app.exception
    assert not [d for d in app.dataframe if "gain" in d.value.columns]
    assert any("too early" in text.value for text in app.text)


def test_a_running_run_shows_its_endpoints_with_their_health(open_page: OpenPage) -> None:
    app = open_page("run", run="run-live")
    rows = next(d.value for d in app.dataframe if "waiting" in d.value.columns)
    assert dict(zip(rows["endpoint"], rows["state"], strict=True)) == {
        "gpu-1": "Healthy",
        "gpu-2": "Down, probed soon",
        "api": "Waits 4.5 s for its quota",
    }


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_hostile_names_stay_text(open_page: OpenPage, lang: str) -> None:
    st.cache_resource.clear()
    assert not open_page("performance", scene="hostile", lang=lang, run="run-done").exception


SUGGESTIONS = [key.removeprefix("advice.") for key in catalogue("en") if key.startswith("advice.")]


@pytest.mark.parametrize("key", SUGGESTIONS)
def test_every_suggestion_is_a_sentence(key: str) -> None:
    values = {"resource": "llm", "old": 16, "new": 32, "name": "gpu-1", "limit": 64}
    told = tuning_words.suggestion_sentence(Suggestion(key, values))
    assert told
    assert "{" not in told


def test_the_advice_of_the_engine_has_words() -> None:
    from core.cli.planning_words import HELD_BACK
    from core.cli.planning_words import SUGGESTIONS as SAID

    assert set(SAID) == set(SUGGESTIONS)
    assert {f"held.{key}" for key in HELD_BACK} <= set(catalogue("en"))
