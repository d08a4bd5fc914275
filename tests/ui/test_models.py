"""The Models page: endpoints with their state, what each form sends, allocations with their sources."""

from __future__ import annotations

from typing import Any

from tests.support.fake_service import FakeService
from tests.support.screen import OpenPage


def chosen(row: int) -> dict[str, Any]:
    return {"selection": {"rows": [row], "columns": []}}


def changes(fake: FakeService) -> list[tuple[Any, ...]]:
    return [sent for sent in fake.sent if sent[0] != "ensure_samples"]


def test_every_endpoint_is_listed_with_its_state_and_source(open_page: OpenPage) -> None:
    app = open_page("models")
    assert not app.exception
    rows = app.dataframe[0].value
    states = dict(zip(rows["endpoint"], rows["state"], strict=True))
    assert states["gpu-1"] == "In use"
    assert states["gpu-2"] == "Removed"
    assert states["anthropic"] == "Key missing"
    assert states["odd"] == "Ignored"
    assert any("limit = 0" in text.value for text in app.text)


def test_a_new_endpoint_is_sent_with_what_was_filled_in(open_page: OpenPage, fake: FakeService) -> None:
    app = open_page("models")
    fields = {box.label: box for box in app.text_input}
    fields["Name"].input("gpu-9")
    fields["Address"].input("http://gpu-9:8000/v1")
    fields["Models"].input("qwen3-8b, qwen3-32b")
    app.number_input(key="limit-new").set_value(24)
    next(b for b in app.button if b.label == "Add an endpoint").click()
    app.run()
    expected = {"kind": "openai", "url": "http://gpu-9:8000/v1", "models": ["qwen3-8b", "qwen3-32b"], "limit": 24}
    assert changes(fake) == [("set_endpoint", "gpu-9", expected, "local")]


def test_an_endpoint_without_a_name_is_not_sent(open_page: OpenPage, fake: FakeService) -> None:
    app = open_page("models")
    next(b for b in app.button if b.label == "Add an endpoint").click()
    app.run()
    assert changes(fake) == []
    assert any("name" in toast.value for toast in app.toast)


def test_a_refusal_is_shown_in_its_own_words(open_page: OpenPage, fake: FakeService) -> None:
    fake.refuse = "Endpoint 'x': the url holds a name or password."
    app = open_page("models")
    next(box for box in app.text_input if box.label == "Name").input("x")
    next(b for b in app.button if b.label == "Add an endpoint").click()
    app.run()
    assert any(fake.refuse == text.value for text in app.text)


def test_the_chosen_endpoint_is_changed_checked_and_taken_out(open_page: OpenPage, fake: FakeService) -> None:
    app = open_page("models")
    app.session_state["endpoints"] = chosen(1)
    app.run()
    app.button(key="discover").click()
    app.run()
    assert any("qwen3-32b" in text.value for text in app.text)
    app.number_input(key="limit-gpu-1").set_value(16)
    next(b for b in app.button if b.label == "Apply").click()
    app.run()
    app.button(key="remove").click()
    app.run()
    assert changes(fake) == [("set_endpoint", "gpu-1", {"limit": 16}, "local"), ("remove_endpoint", "gpu-1", "local")]


def test_a_server_that_says_nothing_shows_why(open_page: OpenPage) -> None:
    app = open_page("models")
    app.session_state["endpoints"] = chosen(3)
    app.run()
    app.button(key="discover").click()
    app.run()
    assert any("401" in text.value for text in app.text)


def test_a_removed_endpoint_is_used_again(open_page: OpenPage, fake: FakeService) -> None:
    app = open_page("models")
    app.session_state["endpoints"] = chosen(2)
    app.run()
    app.button(key="restore").click()
    app.run()
    assert changes(fake) == [("restore_endpoint", "gpu-2", "local")]


def test_allocations_show_who_says_them_and_what_they_override(open_page: OpenPage) -> None:
    rows = open_page("models").dataframe[1].value
    first = rows[(rows["setting"] == "Model")].iloc[0]
    assert first["value"] == "practice-large"
    assert first["source"] == "database"
    assert first["overridden"] == "practice-small (default)"


def test_only_what_differs_is_sent_and_an_emptied_field_clears_the_value(
    open_page: OpenPage, fake: FakeService
) -> None:
    app = open_page("models")
    app.selectbox(key="allocate-restaurant-reviews").set_value("aspect_summary")
    app.run()
    next(box for box in app.text_input if box.label == "Most output tokens").input("200")
    next(box for box in app.text_input if box.label == "Fallback models").input("")
    next(b for b in app.button if b.label == "Apply from the next call on").click()
    app.run()
    assert changes(fake) == [
        ("set_allocation", "restaurant-reviews", "aspect_summary", "max_tokens", "200", "local"),
        ("set_allocation", "restaurant-reviews", "aspect_summary", "fallback", None, "local"),
    ]


def test_a_hostile_endpoint_is_text(open_page: OpenPage) -> None:
    app = open_page("models", scene="hostile")
    assert not app.exception
