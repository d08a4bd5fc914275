"""Looking ahead on the Run page: what a forecast says of itself, a sample first, answers of earlier runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.base.views import Caveat
from core.cli.planning_words import CAVEATS
from core.ui import frame
from core.ui.access import Person, Role
from core.ui.components.launch import SAMPLE
from core.ui.texts import LANGUAGES, catalogue
from core.ui.tuning_words import caveat_sentence
from tests.support.fake_service import FakeService
from tests.support.screen import OpenPage, words


def compose(open_page: OpenPage, **query: str) -> AppTest:
    """The Run page with a new run to be chosen."""
    app = open_page("run", **query)
    return app.button(key="new_run").click().run()


def sample_button(app: AppTest) -> bool:
    """Whether a sample can be started; False where it is not offered."""
    return any((b.key or "").startswith("sample-") and not b.disabled for b in app.button)


def test_a_forecast_says_its_range_its_basis_and_what_would_hold_it_back(open_page: OpenPage) -> None:
    told = words(compose(open_page))
    assert "Time: about 54 s (43 s to 1 min 15 s)" in told
    assert "Cost: about $1.82 ($1.55 to $2.19)" in told
    assert "Held back longest by: The model gate" in told
    assert "Estimated from earlier runs of this workload." in told


@pytest.mark.parametrize("lang", list(LANGUAGES))
def test_many_caveats_stand_behind_a_line_that_counts_them(
    fakes: dict[str, FakeService], open_page: OpenPage, lang: str
) -> None:
    fake = fakes["scene"] = FakeService("hostile")
    fake.settings = replace(fake.settings, llm_limit=64)
    fake._runs.clear()
    app = open_page("run", lang=lang)
    assert not app.exception
    assert "3" in app.expander[0].label
    told = [text.value for text in app.expander[0].text]
    assert len(told) == 3
    assert "<b>gpu</b> [x](javascript:alert(1))" in told[0]  # as text, never as markup


def test_caveats_name_stages_by_their_titles(open_page: OpenPage) -> None:
    app = compose(open_page)
    app.slider(key="llm_limit").set_value(64).run()
    told = words(app)
    assert "Held back longest by: The own limit of stage Total summary" in told
    assert "Total summary: only 12 requests were measured." in told


def test_a_few_items_can_be_tried_first(fake: FakeService, open_page: OpenPage) -> None:
    app = compose(open_page)
    next(b for b in app.button if b.label == "Try 5 items first").click().run()
    assert [s for s in fake.sent if s[0] in ("start", "sample")] == [
        ("sample", "restaurant-reviews", "all", SAMPLE, 16, False, "local")
    ]
    assert app.query_params["run"] == "run-live"


def test_a_refused_sample_says_why(fake: FakeService, open_page: OpenPage) -> None:
    app = compose(open_page)
    fake.refuse = "no endpoint answers: start the model server"
    next(b for b in app.button if b.label == "Try 5 items first").click().run()
    assert "no endpoint answers" in words(app)


def test_a_sample_of_everything_is_not_offered(open_page: OpenPage) -> None:
    app = compose(open_page)
    app.segmented_control(key="scope").set_value("first").run()
    app.number_input(key="first-restaurant-reviews").set_value(SAMPLE).run()
    assert not sample_button(app)
    app.number_input(key="first-restaurant-reviews").set_value(SAMPLE + 1).run()
    assert sample_button(app)


def test_a_viewer_cannot_start_a_sample(
    fake: FakeService, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "sign_in", lambda: Person("guest@example.com", Role.VIEWER))
    assert not sample_button(compose(open_page))


def test_answers_of_earlier_runs_are_used_only_when_asked_for(fake: FakeService, open_page: OpenPage) -> None:
    app = compose(open_page)
    app.toggle(key="cache").set_value(True).run()
    next(b for b in app.button if b.label.startswith("Start with")).click().run()
    assert fake.sent[-1][-2:] == ("cache", "local")


def test_every_caveat_of_the_engine_has_words() -> None:
    assert {f"caveat.{key}" for key in CAVEATS} == {key for key in catalogue("en") if key.startswith("caveat.")}


VALUES = {
    "stages": ["a"], "models": [], "endpoint": "gpu-1", "measured": 3.7, "wanted": 16, "stage": "a", "requests": 12,
    "of": "gpu-2", "simulated": 1000, "items": 5000, "limit": 88, "run_id": "r", "cost": None, "gpus": 3, "set": 2,
    "duration_s": 7200.0, "cost_usd": "12.5", "copies": 2,
}  # fmt: skip


@pytest.mark.parametrize("key", list(CAVEATS))
def test_every_caveat_is_a_sentence_with_its_figures(key: str) -> None:
    told = caveat_sentence(Caveat(key, VALUES))
    assert told
    assert "{" not in told
