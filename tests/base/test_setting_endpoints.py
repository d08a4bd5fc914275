"""Endpoints of the configuration file: callable ones, and what their calls are priced by."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.base.endpoints import EndpointConfig
from core.base.errors import ConfigError
from core.base.settings import Settings, describe, load_settings

CALLABLE = '[[endpoint]]\nname = "f"\nkind = "callable"\nfunction = "theirs.local:generate"\nmodels = ["local"]\n'
SERVER = '[[endpoint]]\nname = "s"\nurl = "http://s/v1"\n'


def load(tmp_path: Path, toml: str = "", env: dict[str, str] | None = None, **cli: Any) -> Settings:
    config = tmp_path / "brigade.toml"
    config.write_text(toml, encoding="utf-8")
    return load_settings(config=config, env=env or {}, cli=cli, dotenv=None)


def first(tmp_path: Path, toml: str) -> EndpointConfig:
    return load(tmp_path, toml).endpoints[0]


def test_a_callable_endpoint_names_its_function(tmp_path: Path) -> None:
    """It serves the models it lists, one call at a time unless it says more, and is shown with its function."""
    settings = load(tmp_path, CALLABLE)
    endpoint = settings.endpoint_for("local")
    assert (endpoint.kind, endpoint.function, endpoint.limit) == ("callable", "theirs.local:generate", 1)
    assert first(tmp_path, CALLABLE + "limit = 4\n").limit == 4
    shown = {name: value for name, value, *_ in describe(settings)}
    assert shown["endpoint.f"] == "callable; theirs.local:generate; local"


def test_the_documentation_can_be_pasted(tmp_path: Path) -> None:
    """Every [[endpoint]] of docs/endpoints.md and every one in the comments of the shipped file is valid."""
    root = Path(__file__).parents[2]
    page = (root / "docs" / "endpoints.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^(\[\[endpoint\]\]\n.*?)^(?:```|END)", page, re.MULTILINE | re.DOTALL)
    shipped = (root / "data" / "brigade.toml").read_text(encoding="utf-8")
    commented = re.findall(r"^# (\[\[endpoint\]\]\n(?:# \w.*\n)+)", shipped, re.MULTILINE)
    blocks += [re.sub(r"^# ", "", block, flags=re.MULTILINE) for block in commented]
    kinds = [first(tmp_path, _either(block)).kind for block in blocks]
    assert sorted(kinds) == ["anthropic", "callable", "callable", "callable", "openai"]


def _either(block: str) -> str:
    """The comments show both ways to be paid; an endpoint has one."""
    return re.sub(r"^(?:gpu_hour|gpus) .*\n", "", block, flags=re.MULTILINE)


def test_only_the_file_can_name_a_function(tmp_path: Path) -> None:
    """Neither the environment nor the command line makes a callable endpoint: what runs is the operator's file's."""
    env = {"OPENAI_BASE_URL": "http://h:1/v1", "BRIGADE_FUNCTION": "os:system", "BRIGADE_LLM_URL": "http://h:2/v1"}
    settings = load(tmp_path, "", env, llm_url="http://h:3/v1", function="os:system", kind="callable")
    assert [endpoint.function for endpoint in settings.endpoints] == [None] * len(settings.endpoints)
    with pytest.raises(ConfigError):
        load(tmp_path, "", llm_url="os:system")


def test_an_hour_of_a_gpu_is_a_price(tmp_path: Path) -> None:
    """USD an hour as an exact decimal, for one GPU unless it says how many; cached input has a price of its own."""
    rented = first(tmp_path, SERVER + 'gpu_hour = "1.99"\ngpus = 2\n')
    assert (rented.gpu_hour, rented.gpus) == (Decimal("1.99"), 2)
    assert first(tmp_path, SERVER + "gpu_hour = 2\n").gpus == 1
    priced = first(tmp_path, SERVER + 'price_input = 1\nprice_output = 4\nprice_cached = "0.1"\n')
    assert (priced.price_input, priced.price_cached) == (Decimal(1), Decimal("0.1"))


@pytest.mark.parametrize(
    ("toml", "line", "said"),
    [
        (CALLABLE.replace('function = "theirs.local:generate"\n', ""), 1, 'needs function = "package.module:name"'),
        (CALLABLE.replace('models = ["local"]\n', ""), 1, "needs models"),
        (CALLABLE.replace("theirs.local:generate", "theirs.local"), 4, "function = 'theirs.local': must be"),
        (CALLABLE.replace("theirs.local:generate", "os;x:y"), 4, "must be"),
        (CALLABLE + 'url = "http://x"\n', 6, "url is for openai and anthropic endpoints"),
        (SERVER + 'function = "a:b"\n', 4, 'function is for endpoints of kind = "callable"'),
        (SERVER + "price_cached = 1\n", 4, "price_cached without price_input"),
        (SERVER + "gpus = 2\n", 4, "gpus without gpu_hour"),
        (SERVER + "gpu_hour = 2\nprice_input = 1\nprice_output = 1\n", 4, "gpu_hour beside prices of tokens"),
        (SERVER + "gpu_hour = -1\n", 4, "gpu_hour = -1: must be an amount"),
        (SERVER + "gpu_hour = 1\ngpus = 0\n", 5, "gpus = 0: must be a whole number of 1 or more"),
    ],
)
def test_what_cannot_be_meant_is_named_by_line(tmp_path: Path, toml: str, line: int, said: str) -> None:
    """The file, the line, the value and the way out."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, toml)
    assert f"brigade.toml:{line}: " in str(caught.value)
    assert said in str(caught.value)
