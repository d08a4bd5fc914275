"""Which model, tokens and temperature a stage gets, and which layer says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from core.base.allocation import Allocation, Layers, allocation, max_concurrent
from core.base.allocation_keys import KEYS, as_text, setting_name, sound, variable_name
from core.base.errors import ConfigError
from core.base.settings import CONFIG, Settings, load_settings
from core.base.workload import Stage, Workload
from core.base.workload_files import find_workload

NAME = "CELTIC_CROSS_CARD_INTERPRETATION"
STAGE = "card_interpretation"


@pytest.fixture(scope="module")
def workload() -> Workload:
    return find_workload("celtic-cross")


def settings(**env: str) -> Settings:
    return load_settings(config=CONFIG, env=env, cli={}, dotenv=None)


def layers(workload: Workload, database: Mapping[str, str] = {}, model: str | None = None, **env: str) -> Layers:
    return Layers(workload, settings(**env), database, model)


def test_variables_and_settings_are_named_after_workload_and_stage(workload: Workload) -> None:
    """The variable is the workload's id and the stage's, upper case, with `_` for everything else."""
    stage = workload.stage(STAGE)
    assert variable_name(workload, stage, "model") == f"{NAME}_MODEL"
    assert variable_name(workload, None, "max_concurrent") == "CELTIC_CROSS_MAX_CONCURRENT"
    assert setting_name("celtic-cross", "advice", "model") == "allocation.celtic-cross.advice.model"
    assert setting_name("celtic-cross", "", "max_concurrent") == "allocation.celtic-cross.max_concurrent"


def test_each_layer_is_stronger_than_the_next(workload: Workload) -> None:
    """Database > environment > the workload's stage > the run's model > the settings' model, each with its source."""
    stage = workload.stage(STAGE)
    written = replace(stage, model="from-stage")
    row = {f"allocation.celtic-cross.{STAGE}.model": "from-database"}
    env = {f"{NAME}_MODEL": "from-env"}
    found = [
        allocation(layers(workload, row, "from-run", **env), written),
        allocation(layers(workload, {}, "from-run", **env), written),
        allocation(layers(workload, {}, "from-run"), written),
        allocation(layers(workload, {}, "from-run"), stage),
        allocation(layers(workload), stage),
    ]
    assert [(a.model, a.source) for a in found] == [
        ("from-database", "database"),
        ("from-env", f"environment {NAME}_MODEL"),
        ("from-stage", "workload"),
        ("from-run", "run"),
        ("practice-small", str(CONFIG)),
    ]


def test_every_value_has_its_own_source(workload: Workload) -> None:
    """Each is taken on its own: one from the database, one from a variable, one from the file, the rest by default."""
    database = {f"allocation.celtic-cross.{STAGE}.temperature": "0.7"}
    env = {f"{NAME}_FALLBACK": "b, c,b"}
    found = allocation(layers(workload, database, None, **env), workload.stage(STAGE))
    assert (found.temperature, found.fallback, found.max_tokens, found.max_concurrent) == (0.7, ("b", "c"), 600, None)
    assert found.sources == {
        "model": str(CONFIG),
        "max_tokens": "workload",
        "temperature": "database",
        "fallback": f"environment {NAME}_FALLBACK",
        "max_concurrent": "default",
    }


def test_what_a_file_says_is_the_files_though_it_is_the_default(workload: Workload) -> None:
    """256 tokens written into the workload come from the workload, not written they are the default."""
    advice = workload.stage("advice")
    assert advice.max_tokens == Stage("", "llm").max_tokens
    assert allocation(layers(workload), advice).sources["max_tokens"] == "workload"
    unwritten = replace(advice, written=frozenset())
    assert allocation(layers(workload), unwritten).sources["max_tokens"] == "default"


def test_a_run_may_leave_the_model_to_the_server(workload: Workload) -> None:
    """'' as the run's model stays '': the server is asked."""
    assert allocation(layers(workload, model=""), workload.stage("advice")).model == ""


def test_concurrency_may_be_set_per_workload_and_per_stage(workload: Workload) -> None:
    """The file's max_concurrent holds until a variable says otherwise, and the database before that."""
    row = {"allocation.celtic-cross.max_concurrent": "3"}
    assert max_concurrent(layers(workload)) == 5
    assert max_concurrent(layers(workload, CELTIC_CROSS_MAX_CONCURRENT="2")) == 2
    assert max_concurrent(layers(workload, row, CELTIC_CROSS_MAX_CONCURRENT="2")) == 3
    stage = workload.stage(STAGE)
    assert allocation(layers(workload, row), stage).max_concurrent is None
    assert allocation(layers(workload, {}, None, **{f"{NAME}_MAX_CONCURRENT": "4"}), stage).max_concurrent == 4


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("max_tokens", "0", "must be a whole number of 1 or more"),
        ("max_tokens", "many", "must be a whole number of 1 or more"),
        ("temperature", "3", "must be a number from 0 to 2"),
        ("temperature", "nan", "must be a number from 0 to 2"),
        ("temperature", "hot", "must be a number from 0 to 2"),
        ("max_concurrent", "-1", "must be a whole number of 1 or more"),
        ("fallback", "a,,b", "must be a text"),
        ("model", "a,b", "must be a model's name"),
    ],
)
def test_a_bad_value_is_named(workload: Workload, key: str, value: str, says: str) -> None:
    """In the environment it is an error with the variable and the value, in the database it is sorted out."""
    with pytest.raises(ConfigError, match=f"environment {NAME}_{key.upper()} = '{value}': {says}"):
        allocation(layers(workload, {}, None, **{f"{NAME}_{key.upper()}": value}), workload.stage(STAGE))
    name = f"allocation.celtic-cross.{STAGE}.{key}"
    good, problems = sound({name: value, "allocation.celtic-cross.advice.model": "m"})
    assert good == {"allocation.celtic-cross.advice.model": "m"}
    assert problems == [p for p in problems if name in p and repr(value) in p and says in p]
    assert len(problems) == 1


def test_a_setting_that_means_nothing_is_sorted_out() -> None:
    """A key that no stage has is named with those that there are."""
    good, problems = sound({"allocation.celtic-cross.advice.colour": "red"})
    assert good == {}
    assert "'colour'" in problems[0]
    assert all(key in problems[0] for key in KEYS)


def test_no_fallback_is_a_value_too(workload: Workload) -> None:
    """`none` in the database is stronger than the fallbacks of the file."""
    stage = replace(workload.stage("advice"), fallback=("b",))
    row = {"allocation.celtic-cross.advice.fallback": "none"}
    assert allocation(layers(workload, row), stage).fallback == ()
    assert as_text(()) == "none"


def test_a_chain_is_the_model_and_its_fallbacks_without_repeats(workload: Workload) -> None:
    """A fallback that is the model itself is left out, also after renaming."""
    stage = replace(workload.stage("advice"), model="a", fallback=("b", "a", "b", "c"))
    found = allocation(layers(workload), stage)
    assert found.chain == ("a", "b", "c")
    assert found.renamed({"a": "served", "b": "served", "c": "d"}).chain == ("served", "d")


def test_renaming_keeps_the_rest() -> None:
    """Only the models' names change; tokens, temperature and sources stay."""
    found = Allocation("", 5, 0.5, max_concurrent=2, sources={"model": "run"})
    assert found.renamed({"": "first"}) == replace(found, model="first")


def test_a_view_shows_what_lies_beneath(workload: Workload) -> None:
    """Every key of every model stage is there once, with its weaker values, strongest first."""
    row = {f"allocation.celtic-cross.{STAGE}.max_tokens": "99"}
    views = {(v.stage, v.key): v for v in layers(workload, row, None, **{f"{NAME}_MAX_TOKENS": "77"}).views()}
    assert len(views) == 1 + 4 * len(KEYS)
    shown = views[STAGE, "max_tokens"]
    assert (shown.value, shown.source) == (99, "database")
    assert shown.overridden == ((77, f"environment {NAME}_MAX_TOKENS"), (600, "workload"))
    assert (views["", "max_concurrent"].value, views["", "max_concurrent"].source) == (5, "workload")
