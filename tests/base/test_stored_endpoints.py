"""Endpoints kept in the database beside those of the configuration, and what a row there may not say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from core.base.errors import ConfigError
from core.base.settings import Settings, load_settings
from core.base.stored_endpoints import Placed, placed, settings_now, stored_endpoint

CONFIG = """
model = "m"
[[endpoint]]
name = "gpu"
url = "https://gpu.example/v1"
key_env = "GPU_API_KEY"
models = ["m"]
limit = 4
[[endpoint]]
name = "local"
kind = "callable"
function = "package.module:answer"
models = ["mine"]
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "c.toml"
    file.write_text(CONFIG, encoding="utf-8")
    return load_settings(config=file, env={}, cli={}, dotenv=None)


def rows(**said: Any) -> dict[str, str]:
    return {f"endpoint.{name}": row if isinstance(row, str) else json.dumps(row) for name, row in said.items()}


def found(settings: Settings, name: str, **said: Any) -> Placed:
    return next(one for one in placed(settings, rows(**said), {}) if one.endpoint.name == name)


def test_a_row_adds_an_endpoint(settings: Settings) -> None:
    """It serves its models beside the configured one, and its source is the database."""
    row = {"url": "http://10.0.0.2:8000/v1", "models": ["m"], "limit": 8}
    now = settings_now(settings, rows(gpu2=row), {})
    assert [e.name for e in now.endpoints_for("m")] == ["gpu", "gpu2"]
    assert now.sources["endpoint.gpu2"] == "database"
    assert [e.name for e in settings.endpoints_for("m")] == ["gpu"], "the settings of the start are as they were"


def test_a_row_changes_only_what_it_says(settings: Settings) -> None:
    """Another limit leaves address, key and models as the file has them."""
    one = found(settings, "gpu", gpu={"limit": 2, "rpm": 60})
    assert (one.endpoint.limit, one.endpoint.rpm, one.endpoint.url) == (2, 60, "https://gpu.example/v1")
    assert (one.endpoint.key_env, one.endpoint.models) == ("GPU_API_KEY", ("m",))
    assert one.source.endswith(", database")
    assert found(settings, "local", local={"limit": 3}).endpoint.function == "package.module:answer"


def test_a_removed_endpoint_is_shown_and_not_used(settings: Settings) -> None:
    """It keeps its fields for whoever restores it."""
    said = rows(gpu={"removed": True}, spare={"url": "http://s/v1", "removed": True})
    now = settings_now(settings, said, {})
    assert {"gpu", "spare"} & {e.name for e in now.endpoints} == set()
    shown = {one.endpoint.name: one for one in placed(settings, said, {})}
    assert shown["gpu"].removed
    assert shown["spare"].endpoint.url == "http://s/v1"


@pytest.mark.parametrize(
    ("name", "said", "says"),
    [
        ("new", {"kind": "callable", "function": "os:system", "models": ["m"]}, "configuration file only"),
        ("gpu", {"kind": "callable"}, "configuration file only"),
        ("local", {"function": "os:system"}, "configuration file only"),
        ("new", {"url": "ftp://host/v1"}, "must be an address"),
        ("new", {"models": ["m"]}, "needs url"),
        ("new", {"url": "http://user:secret@host/v1"}, "holds a name or password"),
        ("new", {"url": "http://host/v1", "api_key": "sk-secret"}, "Put the key in a variable"),
        ("new", {"url": "http://host/v1", "key_env": "sk-secret"}, "must be the name of an environment variable"),
        ("new", {"url": "http://host/v1", "key_env": "OPENAI_API_KEY"}, "belongs to api.openai.com, not to host"),
        ("new", {"url": "http://host/v1", "key_env": "GPU_API_KEY"}, "belongs to gpu.example, not to host"),
        ("gpu", {"url": "https://other.example/v1"}, "belongs to gpu.example, not to other.example"),
        ("new", {"url": "http://host/v1", "key_env": "QDRANT_API_KEY"}, "is no model server's key"),
        ("new", {"url": "http://host/v1", "key_env": "HOME"}, "is no model server's key"),
        ("new", {"url": "http://host/v1", "limit": 0}, "must be a whole number of 1"),
        ("new", {"url": "http://host/v1", "colour": "red"}, "unknown key 'colour'"),
        ("cli", {"url": "http://host/v1"}, "the command line's"),
        ("bad name", {"url": "http://host/v1"}, "up to 64 letters"),
    ],
)
def test_what_a_row_may_not_say(settings: Settings, name: str, said: dict[str, Any], says: str) -> None:
    """It is refused when set; written by hand it is passed over with the reason, and what was configured holds."""
    with pytest.raises(ConfigError, match=says) as caught:
        stored_endpoint(settings, name, said, {})
    assert f"Endpoint {name!r}" in str(caught.value)
    assert "secret" not in str(caught.value)
    one = found(settings, name, **{name: said})
    assert says in one.problem
    assert one.active == (name in ("gpu", "local"))
    assert {e.name for e in settings_now(settings, rows(**{name: said}), {}).endpoints} == {
        e.name for e in settings.endpoints
    }


@pytest.mark.parametrize("row", ["nonsense", "[1]", '{"removed": "yes"}', "null"])
def test_a_row_that_is_no_object_is_passed_over(settings: Settings, row: str) -> None:
    """Whatever somebody wrote there by hand, the others are as they were."""
    one = found(settings, "gpu", gpu=row)
    assert "must be an object" in one.problem
    assert one.endpoint == settings.endpoints_for("m")[0]


PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["m", "openai"])
)
FIELDS = ("kind", "url", "models", "limit", "rpm", "tpm", "key_env", "stream", "price_input", "removed", "name", "x")
WRITTEN = st.dictionaries(st.sampled_from(FIELDS), PLAIN | st.lists(PLAIN, max_size=3) | st.just({"a": 1}), max_size=5)


@given(said=WRITTEN, name=st.sampled_from(["gpu", "local", "new", "cli"]))
@settings_of_hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
def test_whatever_a_row_holds_nothing_breaks(settings: Settings, said: dict[str, Any], name: str) -> None:
    """Every row is an endpoint or a problem with its name; the configured ones are never lost but by `removed`."""
    one = found(settings, name, **{name: json.dumps(said)})
    assert not one.problem or name in one.problem
    assert one.active or one.removed or name in ("new", "cli")
    known = {e.name for e in settings_now(settings, rows(**{name: said}), {}).endpoints}
    assert known >= {"gpu", "local"} - {name}


def test_a_key_may_go_to_its_own_host(settings: Settings) -> None:
    """The same host under another path, OpenAI's own and the host that its variable names."""
    assert stored_endpoint(settings, "a", {"url": "https://gpu.example/v2", "key_env": "GPU_API_KEY"}, {})
    assert stored_endpoint(settings, "b", {"url": "https://api.openai.com/v1", "key_env": "OPENAI_API_KEY"}, {})
    own = {"OPENAI_BASE_URL": "http://proxy:8080/v1"}
    assert stored_endpoint(settings, "c", {"url": "http://proxy:8080/v1", "key_env": "OPENAI_API_KEY"}, own)
    assert stored_endpoint(settings, "d", {"url": "https://pod.example/v1", "key_env": "POD_API_KEY"}, {})
