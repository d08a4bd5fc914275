"""Settings in layers: `data/brigade.toml` < `.env` and environment < command line; each value knows its source.

Keys never stand here: only the names of the variables that hold them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from core.base.endpoints import EndpointConfig, SearchConfig
from core.base.errors import ConfigError, UnknownError
from core.base.setting_endpoints import CLI, all_endpoints, without_user
from core.base.setting_table import GENERAL, SEARCH, Setting
from core.base.toml_tables import Source, Table, read_table, shown
from core.base.workload_files import WORKLOADS

CONFIG = Path(__file__).parents[2] / "data" / "brigade.toml"
DOTENV = Path(".env")
_ALLOCATION = re.compile(r"[A-Z][A-Z0-9_]*_(?:MODEL|MAX_TOKENS|TEMPERATURE|FALLBACK|MAX_CONCURRENT)")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a start, frozen.

    A limit is a number, or `auto`: found between min and max. model '' means: ask the server of the run what it serves;
    window 0: found from the limits; sources: where each value came from, by its name; variables: the environment's
    allocation variables; keys_set: which of the variables that hold keys are there.
    """

    db: Path
    workloads: Path
    search: SearchConfig
    endpoints: tuple[EndpointConfig, ...]
    model: str
    search_limit: int | str = 8
    llm_limit: int | str = 16
    llm_min: int = 1
    llm_max: int = 512
    search_min: int = 1
    search_max: int = 512
    slo_p95: float | None = None
    window: int = 0
    budget: Decimal | None = None
    budget_day: Decimal | None = None
    max_rss_mb: int = 0
    llm_url: str | None = None
    config: Path = CONFIG
    sources: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    keys_set: frozenset[str] = frozenset()

    def endpoint_for(self, model: str) -> EndpointConfig:
        """The first endpoint that serves a model; UnknownError lists the known models."""
        return self.endpoints_for(model)[0]

    def endpoints_for(self, model: str) -> tuple[EndpointConfig, ...]:
        """The endpoints that serve a model: a pool where there are several.

        That is the command line's for its model, else all that list the model, else the first without a list
        that is open to it.
        """
        by_hand = [e for e in self.endpoints if e.name == CLI and model in ("", self.model)]
        listing = [e for e in self.endpoints if model in e.models]
        open_to_all = [e for e in self.endpoints if e.open_to(model)][:1]
        found = by_hand or listing or open_to_all
        if not found:
            known = ", ".join(dict.fromkeys(m for e in self.endpoints for m in e.models)) or "none"
            msg = f"No endpoint serves model {model!r}; known models: {known}. Name one of them or add an [[endpoint]]."
            raise UnknownError(msg)
        return tuple(found)


def load_settings(
    *, config: Path | None = None, env: Mapping[str, str], cli: Mapping[str, Any], dotenv: Path | None = DOTENV
) -> Settings:
    """Read all layers; ConfigError names where the bad value stands, the value and the way out.

    config: the file, by default the one that BRIGADE_CONFIG names, else the shipped one; cli: parsed arguments
    (`llm_limit`, `qdrant_url`, ...), None where not given; other arguments are ignored.
    """
    written = _dotenv(dotenv)
    named = {**written, **env}.get("BRIGADE_CONFIG", "").strip()
    file = Path(config or named or CONFIG)
    layers = _Layers(_table(file), env, written, cli)
    layers.sources["config"] = "by hand" if config else layers.origin("BRIGADE_CONFIG") if named else "default"
    general = {s.name: layers.value(s, layers.root) for s in GENERAL}
    search = _search(layers, general["db"])
    endpoints = all_endpoints(layers.root, layers.environment, general["llm_url"], layers.sources)
    layers.root.done()
    keys = {e.key_env for e in endpoints} | {search.key_env}
    return Settings(
        search=search,
        endpoints=endpoints,
        config=file,
        sources=layers.sources,
        variables={n: v for n, v in layers.environment.items() if v.strip() and _ALLOCATION.fullmatch(n)},
        keys_set=frozenset(k for k in keys if k and layers.environment.get(k)),
        **general | {"workloads": general["workloads"] or WORKLOADS, "model": _model(layers, general, endpoints)},
    )


def with_dotenv(env: Mapping[str, str], dotenv: Path | None = DOTENV) -> dict[str, str]:
    """The environment with what `.env` adds to it; the real environment is stronger."""
    return {**_dotenv(dotenv), **env}


def describe(settings: Settings) -> list[tuple[str, str, str, str]]:
    """(name, shown value, source, what it means) of every setting; no key is ever shown."""
    rows = [("config", str(settings.config), settings.sources.get("config", "default"), "The configuration file")]
    rows += [_row(s, getattr(settings, s.name), settings) for s in GENERAL]
    rows += [_row(s, getattr(settings.search, s.key), settings) for s in SEARCH]
    for e in settings.endpoints:
        name = f"endpoint.{e.name}"
        rows.append((name, _endpoint(e, settings), settings.sources.get(name, "default"), "Where models are served"))
    rows += [(n, v, settings.sources.get(n, "environment"), "An allocation") for n, v in settings.variables.items()]
    return rows


class _Layers:
    """The four layers, strongest last; `sources` fills as values are asked for."""

    def __init__(self, root: Table, env: Mapping[str, str], dotenv: Mapping[str, str], cli: Mapping[str, Any]) -> None:
        self.root = root
        self.cli = cli
        self.environment = {**dotenv, **env}
        self._env = env
        self.sources = {n: self.origin(n) for n in self.environment if _ALLOCATION.fullmatch(n)}

    def origin(self, variable: str) -> str:
        return f"{'environment' if variable in self._env else '.env'} {variable}"

    def value(self, setting: Setting, table: Table) -> Any:
        """The strongest layer's value, or the setting's default."""
        raw, source = self._raw(setting, table)
        self.sources[setting.name] = source
        if raw is None:
            return setting.default
        try:
            return setting.parse(raw)
        except ValueError as exc:
            value = "..." if setting.name.endswith("key_env") else shown(raw)
            message = f"{setting.key} = {value}: {exc}."
            if source == str(table.source.path):
                table.fail(setting.key, message)
            msg = f"{source}: {message}"
            raise ConfigError(msg) from None

    def _raw(self, setting: Setting, table: Table) -> tuple[Any, str]:
        written = table.raw(setting.key)
        given = self.cli.get(setting.argument) if setting.option else None
        if given is not None:
            return given, f"command line {setting.option}"
        if self.environment.get(setting.env, "").strip():
            return self.environment[setting.env], self.origin(setting.env)
        return written, "default" if written is None else str(table.source.path)


def _table(config: Path) -> Table:
    """The configuration file; the shipped one may be missing, any other must be there."""
    if Path(config) == CONFIG and not CONFIG.exists():
        return Table(Source(CONFIG, {}, ConfigError), (), {})
    return read_table(Path(config), ConfigError)


def _dotenv(path: Path | None) -> dict[str, str]:
    if path is None or not path.is_file():
        return {}
    try:
        return {k: v for k, v in dotenv_values(path, interpolate=False).items() if v is not None}
    except (OSError, UnicodeDecodeError) as exc:
        msg = f"{path}: cannot be read ({exc}). It must be a UTF-8 text file of NAME=value lines."
        raise ConfigError(msg) from exc


def _search(layers: _Layers, db: Path) -> SearchConfig:
    """The search side: an address chooses the server, the index lies beside the database."""
    table = layers.root.table("search")
    found = {s.key: layers.value(s, table) for s in SEARCH}
    table.done()
    given = {key: value for key, value in found.items() if value is not None}
    if "path" not in given:
        given["path"] = db.with_suffix(".index")
    if "url" in given and "backend" not in given:
        given["backend"] = "qdrant"
        layers.sources["search.backend"] = f"because of {layers.sources['search.url']}"
    config = SearchConfig(**given)
    if config.backend == "qdrant" and not config.url:
        msg = f"{layers.sources['search.backend']}: search.backend = 'qdrant' needs an address. Set QDRANT_URL."
        raise ConfigError(msg)
    return config


def _model(layers: _Layers, general: Mapping[str, Any], endpoints: tuple[EndpointConfig, ...]) -> str:
    """The default model: '' (ask the server) when a server is given by hand without a model."""
    source = layers.sources["model"]
    if general["llm_url"] and not source.startswith("command line"):
        layers.sources["model"] = f"what {general['llm_url']} serves"
        return ""
    if general["model"]:
        return str(general["model"])
    return next((m for e in endpoints for m in e.models), "")


def _row(setting: Setting, value: Any, settings: Settings) -> tuple[str, str, str, str]:
    text = "" if value is None else str(value)
    if setting.name.endswith("key_env"):
        text = _key(value, settings)
    return setting.name, without_user(text), settings.sources.get(setting.name, "default"), setting.doc


def _key(variable: str | None, settings: Settings) -> str:
    return f"{variable} ({'set' if variable in settings.keys_set else 'not set'})" if variable else "none"


def _endpoint(endpoint: EndpointConfig, settings: Settings) -> str:
    any_model = "any claude model" if endpoint.kind == "anthropic" else "any model"
    place = without_user(endpoint.url or endpoint.function or "")
    words = [endpoint.kind, place, ", ".join(endpoint.models) or any_model]
    if endpoint.key_env:
        words.append(f"key {_key(endpoint.key_env, settings)}")
    return "; ".join(word for word in words if word)
