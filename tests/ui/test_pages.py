"""The four pages over the fake service: every scene, both languages, another workload."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.screen import OpenPage, words

PAGES = ("run", "results", "performance", "costs")


def assert_well(app: AppTest) -> None:
    assert not app.exception, app.exception


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("scene", ["full", "empty", "hostile"])
@pytest.mark.parametrize("lang", ["en", "ko"])
def test_every_page_opens_by_its_link_in_every_scene_and_language(
    open_page: OpenPage, page: str, scene: str, lang: str
) -> None:
    app = open_page(page, scene=scene, lang=lang)
    assert_well(app)
    assert app.title


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("run", ["run-live", "run-cards", "run-paused", "run-budget", "run-crash", "run-stopped"])
def test_every_page_shows_a_run_in_every_state(open_page: OpenPage, page: str, run: str) -> None:
    assert_well(open_page(page, run=run))


@pytest.mark.parametrize("page", PAGES[1:])
def test_a_page_without_any_run_says_what_to_do(open_page: OpenPage, page: str) -> None:
    app = open_page(page, scene="empty")
    assert "No run yet" in words(app)
    assert "Start one on the Run page" in words(app)


def test_an_empty_catalogue_says_how_to_import(open_page: OpenPage) -> None:
    app = open_page("run", scene="empty")
    assert "python -m core import" in words(app)
    assert not [b for b in app.button if "Start" in b.label]


@pytest.mark.parametrize("page", PAGES)
def test_an_unknown_run_in_the_link_is_named_and_the_page_goes_on(open_page: OpenPage, page: str) -> None:
    app = open_page(page, run="no-such-run")
    assert_well(app)
    assert "no-such-run" in words(app)
    assert "run-live" in words(app)


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        ("run-crash", "The process that ran this is gone"),
        ("run-budget", "The budget is used up"),
        ("run-paused", "No new requests are sent"),
        ("run-stopped", "Stopped for good"),
        ("run-done", "4 failed"),
    ],
)
def test_a_status_is_a_sentence(open_page: OpenPage, run: str, sentence: str) -> None:
    assert sentence in words(open_page("run", run=run))


def test_the_engines_own_reason_is_shown_below_the_sentence(open_page: OpenPage) -> None:
    assert "api.example.com answered 401" in words(open_page("run", run="run-paused"))


def test_usual_reasons_speak_the_language_of_the_session(open_page: OpenPage) -> None:
    assert "dana 님이 중지했습니다." in words(open_page("run", run="run-stopped", lang="ko"))


def test_the_bottleneck_is_a_sentence_in_both_languages(open_page: OpenPage) -> None:
    assert "Model calls hold the run back: their gate was full 94%" in words(open_page("run", run="run-live"))
    assert "모델 호출이 병목입니다" in words(open_page("run", run="run-live", lang="ko"))


def test_results_show_total_parts_and_evidence_in_its_review(open_page: OpenPage) -> None:
    app = open_page("results", run="run-done")
    told = words(app)
    assert "A friendly neighbourhood place" in told
    assert {"Total summary", "Service", "Price", "Food"} <= {s.value for s in app.subheader}
    assert "The waiter noticed that my daughter could not have nuts" in app.code[0].value
    assert "cut off" in told


def test_results_of_another_workload_have_parts_and_no_evidence(open_page: OpenPage) -> None:
    app = open_page("results", run="run-cards")
    assert any("The Fool" in s.value for s in app.subheader)
    assert len(app.code) == 0
    assert "Evidence" not in {s.value for s in app.subheader}


def test_what_has_no_price_is_called_unpriced_and_never_zero(open_page: OpenPage) -> None:
    app = open_page("costs", run="run-cards")
    shown = {m.label: m.value for m in app.metric}
    assert shown["Cost"] == "unpriced"
    assert "No call of this run has a known price" in words(app)


def test_a_broken_workload_file_is_named_on_the_run_page(open_page: OpenPage) -> None:
    app = open_page("run", scene="hostile", run="")
    app.session_state["composing"] = True
    app.session_state["run_id"] = None
    app.query_params.clear()
    app.run()
    assert "data/workloads/broken.toml:3" in words(app)


def test_a_service_that_cannot_be_opened_says_why(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.base.errors import StoreVersionError
    from core.ui import engine

    def refuse() -> None:
        msg = "the database is of version 9, this Brigade knows 4: update Brigade"
        raise StoreVersionError(msg)

    monkeypatch.setattr(engine, "open_service", refuse)
    app = open_page("run")
    assert_well(app)
    assert "Brigade could not be opened" in words(app)
    assert "version 9" in words(app)
