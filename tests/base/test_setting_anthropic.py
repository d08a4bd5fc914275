"""Anthropic's endpoints in the settings: where they are, which key they get, and whose models they take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.base.endpoints import EndpointConfig
from core.base.errors import ConfigError, UnknownError
from core.base.settings import Settings, describe, load_settings

KEY = {"ANTHROPIC_API_KEY": "sk-ant-canary"}
HOME = "https://api.anthropic.com"


def load(tmp_path: Path, toml: str = "", env: dict[str, str] | None = None, **cli: Any) -> Settings:
    config = tmp_path / "brigade.toml"
    config.write_text(toml, encoding="utf-8")
    return load_settings(config=config, env=env or {}, cli=cli, dotenv=None)


def written(tmp_path: Path, more: str = "", env: dict[str, str] | None = None) -> EndpointConfig:
    """An anthropic endpoint of the file."""
    return load(tmp_path, f'[[endpoint]]\nname = "a"\nkind = "anthropic"\n{more}', env).endpoints[0]


def test_its_variables_offer_an_endpoint(tmp_path: Path) -> None:
    """A key alone means Anthropic itself, with ANTHROPIC_BASE_URL that server; without both there is none."""
    plain = load(tmp_path, env=KEY).endpoint_for("claude-x")
    assert (plain.name, plain.kind, plain.url) == ("anthropic-env", "anthropic", HOME)
    assert (plain.key_env, plain.provider) == ("ANTHROPIC_API_KEY", "anthropic")
    other = load(tmp_path, env={"ANTHROPIC_BASE_URL": "http://gate:1"}).endpoint_for("claude-x")
    assert (other.url, other.key_env) == ("http://gate:1", None)
    assert "anthropic-env" not in [e.name for e in load(tmp_path).endpoints]


def test_it_takes_claudes_models_only(tmp_path: Path) -> None:
    """Beside OpenAI's variables it gets claude models, and nothing else."""
    settings = load(tmp_path, env=KEY | {"OPENAI_API_KEY": "sk-canary"})
    assert settings.endpoint_for("claude-haiku-4-5").name == "anthropic-env"
    assert settings.endpoint_for("gpt-4.1-mini").name == "openai-env"
    with pytest.raises(UnknownError):
        load(tmp_path, env=KEY).endpoint_for("gpt-4.1-mini")


def test_the_environment_takes_no_model_from_the_file(tmp_path: Path) -> None:
    """An endpoint of the file that lists a claude model, or takes any, is asked first; so is one given by hand."""
    listed = '[[endpoint]]\nname = "gate"\nurl = "http://g/v1"\nmodels = ["claude-x"]\n'
    assert load(tmp_path, listed, KEY).endpoint_for("claude-x").name == "gate"
    to_all = '[[endpoint]]\nname = "gate"\nurl = "http://g/v1"\n'
    assert load(tmp_path, to_all, KEY).endpoint_for("claude-x").name == "gate"
    assert load(tmp_path, env=KEY, llm_url="http://h:1/v1").endpoint_for("claude-x").name == "cli"


def test_one_of_the_file_needs_no_address(tmp_path: Path) -> None:
    """Without a url it is Anthropic's own, or ANTHROPIC_BASE_URL; it serves all that it lists."""
    found = written(tmp_path, 'models = ["house-model"]\n')
    assert (found.url, found.key_env, found.models) == (HOME, "ANTHROPIC_API_KEY", ("house-model",))
    assert written(tmp_path, env={"ANTHROPIC_BASE_URL": "http://gate:1"}).url == "http://gate:1"


@pytest.mark.parametrize(
    ("more", "env", "key"),
    [
        ("", KEY, "ANTHROPIC_API_KEY"),
        ("", KEY | {"ANTHROPIC_BASE_URL": "http://gate:1"}, "ANTHROPIC_API_KEY"),
        ('url = "https://api.anthropic.com/v1"\n', KEY, "ANTHROPIC_API_KEY"),
        ('url = "http://gate:1/v1"\n', KEY | {"ANTHROPIC_BASE_URL": "http://gate:1"}, "ANTHROPIC_API_KEY"),
        ('url = "http://gate:1"\n', KEY, None),
        ('url = "http://api.anthropic.com"\n', KEY, None),
        ('url = "https://api.anthropic.com.evil.example"\n', KEY, None),
        ('url = "http://gate:1"\nkey_env = "MY_KEY"\n', KEY, "MY_KEY"),
    ],
)
def test_its_key_goes_to_its_own_host_only(tmp_path: Path, more: str, env: dict[str, str], key: str | None) -> None:
    """Elsewhere it goes only where key_env names it."""
    assert written(tmp_path, more, env).key_env == key


def test_its_description_shows_no_key(tmp_path: Path) -> None:
    """The doctor's row has the address and whether the key is set."""
    rows = {row[0]: row for row in describe(load(tmp_path, env=KEY))}
    _, value, source, _ = rows["endpoint.anthropic-env"]
    assert value == f"anthropic; {HOME}; any claude model; key ANTHROPIC_API_KEY (set)"
    assert source == "environment ANTHROPIC_BASE_URL, ANTHROPIC_API_KEY"


def test_a_bad_address_names_its_variable(tmp_path: Path) -> None:
    """As OPENAI_BASE_URL does."""
    with pytest.raises(ConfigError, match="environment ANTHROPIC_BASE_URL = 'nonsense'"):
        load(tmp_path, env={"ANTHROPIC_BASE_URL": "nonsense"})
