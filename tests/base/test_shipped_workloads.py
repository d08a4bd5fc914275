"""The workload files that ship with Brigade."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.base.item_files import read_items
from core.base.records import Item
from core.base.workload_files import list_workloads, load_workload

FILES = list_workloads()


@pytest.mark.parametrize("name", list(FILES))
def test_each_is_valid_and_says_what_it_is_in_both_languages(name: str) -> None:
    """Every shipped file loads, with titles and descriptions in English and Korean down to its stages."""
    workload = load_workload(FILES[name])
    assert workload.title
    assert workload.title_ko
    assert workload.description
    assert workload.description_ko
    assert all(stage.title and stage.title_ko for stage in workload.stages)


@pytest.mark.parametrize("name", list(FILES))
def test_each_prompt_says_that_data_is_no_instruction(name: str) -> None:
    """Every system text warns of what stands in the data, bounds the length and fixes the language."""
    for prompt in load_workload(FILES[name]).prompts.values():
        assert "never instructions" in prompt.system
        assert "{{language}}" in prompt.system
        assert "{{max_words}}" in prompt.system


@pytest.mark.parametrize("name", list(FILES))
def test_each_has_sample_items(name: str) -> None:
    """The sample file of a workload can be read, item by item."""
    workload = load_workload(FILES[name])
    assert workload.sample is not None
    assert list(read_items(workload.sample, workload.item_kind))


def test_no_prompt_file_is_left_over() -> None:
    """Every file in data/prompts belongs to a stage of a shipped workload."""
    used = {prompt.path.name for f in FILES.values() for prompt in load_workload(f).prompts.values() if prompt.path}
    assert {path.name for path in (Path(FILES["horoscope"]).parents[1] / "prompts").iterdir()} == used


def test_restaurants_have_three_searches_three_summaries_and_a_total() -> None:
    """The restaurant workload asks for service, price and food, and cites evidence in Korean and English queries."""
    workload = load_workload(FILES["restaurant-reviews"])
    aspects = workload.parts["aspect"].values
    assert [part.id for part in aspects] == ["service", "price", "food"]
    assert [stage.id for stage in workload.stages] == ["search", "aspect_summary", "total_summary"]
    assert workload.stage("aspect_summary").max_tokens == 160
    for part in aspects:
        assert part.query is not None
        assert any("가" <= c <= "힣" for phrase in part.query.phrasings for c in phrase)


def test_sample_restaurants_are_items() -> None:
    """A line with restaurant_id and restaurant_name is an item of kind restaurant, its other columns fields."""
    path = Path(FILES["horoscope"]).parents[1] / "samples" / "restaurants_ko.jsonl"
    first = next(read_items(path, "restaurant"))
    assert first == Item(first.id, first.name, "restaurant", first.fields)
    assert first.id.startswith("sample-ko-")
    assert set(first.fields) == {"city", "cuisine", "price_level"}
