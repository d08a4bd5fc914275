"""Which model, tokens and temperature a stage gets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.base.allocation import Allocation, allocation, max_concurrent, variable_name
from core.base.errors import ConfigError
from core.base.settings import CONFIG, Settings, load_settings
from core.base.workload import Workload
from core.base.workload_files import find_workload

NAME = "CELTIC_CROSS_CARD_INTERPRETATION"


@pytest.fixture(scope="module")
def workload() -> Workload:
    return find_workload("celtic-cross")


def settings(**env: str) -> Settings:
    return load_settings(config=CONFIG, env=env, cli={}, dotenv=None)


def test_variables_are_named_after_workload_and_stage(workload: Workload) -> None:
    """The name is the workload's id and the stage's, upper case, with `_` for everything else."""
    stage = workload.stage("card_interpretation")
    assert variable_name(workload, stage, "MODEL") == f"{NAME}_MODEL"
    assert variable_name(workload, None, "MAX_CONCURRENT") == "CELTIC_CROSS_MAX_CONCURRENT"


def test_each_layer_is_stronger_than_the_next(workload: Workload) -> None:
    """Override > environment > the workload's stage > the run's model > the settings' model, each with its source."""
    stage = workload.stage("card_interpretation")
    written = replace(stage, model="from-stage")
    env = settings(**{f"{NAME}_MODEL": "from-env"})
    control = allocation(workload, written, env, {"card_interpretation": "from-control"}, model="from-run")
    assert (control.model, control.source) == ("from-control", "control")
    variable = allocation(workload, written, env, {"advice": "x"}, model="from-run")
    assert (variable.model, variable.source) == ("from-env", f"environment {NAME}_MODEL")
    own = allocation(workload, written, settings(), model="from-run")
    assert (own.model, own.source) == ("from-stage", "workload")
    run = allocation(workload, stage, settings(), model="from-run")
    assert (run.model, run.source) == ("from-run", "run")
    default = allocation(workload, stage, settings())
    assert (default.model, default.source) == ("practice-small", str(CONFIG))


def test_a_run_may_leave_the_model_to_the_server(workload: Workload) -> None:
    """'' as the run's model stays '': the server is asked."""
    assert allocation(workload, workload.stage("advice"), settings(), model="").model == ""


def test_tokens_and_temperature_come_from_the_environment_or_the_stage(workload: Workload) -> None:
    """Each is taken on its own: a variable for one leaves the other as the file says."""
    stage = workload.stage("card_interpretation")
    found = allocation(workload, stage, settings(**{f"{NAME}_MAX_TOKENS": "99"}))
    assert (found.max_tokens, found.temperature) == (99, stage.temperature)
    found = allocation(workload, stage, settings(**{f"{NAME}_TEMPERATURE": "0.7"}))
    assert (found.max_tokens, found.temperature) == (stage.max_tokens, 0.7)


def test_concurrency_may_be_set_per_workload_and_per_stage(workload: Workload) -> None:
    """The file's max_concurrent holds until a variable says otherwise; a stage has its own only by variable."""
    stage = workload.stage("card_interpretation")
    assert max_concurrent(workload, settings()) == 5
    assert max_concurrent(workload, settings(CELTIC_CROSS_MAX_CONCURRENT="2")) == 2
    assert allocation(workload, stage, settings()).max_concurrent is None
    assert allocation(workload, stage, settings(**{f"{NAME}_MAX_CONCURRENT": "3"})).max_concurrent == 3


@pytest.mark.parametrize(
    ("what", "value", "says"),
    [
        ("MAX_TOKENS", "0", "must be a whole number of 1 or more"),
        ("MAX_TOKENS", "many", "must be a whole number of 1 or more"),
        ("TEMPERATURE", "3", "must be a number from 0 to 2"),
        ("TEMPERATURE", "nan", "must be a number from 0 to 2"),
        ("TEMPERATURE", "hot", "must be a number from 0 to 2"),
        ("MAX_CONCURRENT", "-1", "must be a whole number of 1 or more"),
    ],
)
def test_a_bad_variable_is_named(workload: Workload, what: str, value: str, says: str) -> None:
    """A value that cannot be used is an error with the variable, the value and what it must be."""
    with pytest.raises(ConfigError, match=f"environment {NAME}_{what} = '{value}': {says}"):
        allocation(workload, workload.stage("card_interpretation"), settings(**{f"{NAME}_{what}": value}))


def test_a_chain_is_the_model_and_its_fallbacks_without_repeats(workload: Workload) -> None:
    """A fallback that is the model itself is left out, also after renaming."""
    stage = replace(workload.stage("advice"), model="a", fallback=("b", "a", "b", "c"))
    found = allocation(workload, stage, settings())
    assert found.chain == ("a", "b", "c")
    assert found.renamed({"a": "served", "b": "served", "c": "d"}).chain == ("served", "d")


def test_renaming_keeps_the_rest() -> None:
    """Only the models' names change; tokens, temperature and source stay."""
    found = Allocation("", 5, 0.5, source="run", max_concurrent=2)
    assert found.renamed({"": "first"}) == replace(found, model="first")
