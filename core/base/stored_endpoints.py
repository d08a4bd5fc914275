"""The endpoints of this moment: those of the configuration, with what operators keep in the database.

A setting `endpoint.<name>` is a JSON object with the keys of an `[[endpoint]]` table. Under a name of the configuration
it changes those keys only; `{"removed": true}` lets an endpoint take no new calls. What a page can write is bounded: no
Python function, no address that holds a password, and a key goes to the host it belongs to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from core.base.allocation_keys import Stored
from core.base.endpoints import EndpointConfig
from core.base.errors import ConfigError
from core.base.setting_endpoints import CALLABLE, CLI, HOMES, endpoint_of
from core.base.settings import Settings
from core.base.toml_lines import KeyPath
from core.base.toml_tables import Source, Table

PREFIX = "endpoint."
REMOVED = "removed"
DATABASE = "database"
_KEY_ENDING = "_API_KEY"


@dataclass(frozen=True, slots=True)
class Placed:
    """An endpoint and where it stands. active: calls may go there; problem: why what the database holds is ignored."""

    endpoint: EndpointConfig
    source: str
    removed: bool = False
    problem: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True)
class _Row(Source):
    """A row of the database in the place of a file; its errors name the endpoint instead of a line."""

    name: str = ""

    def fail(self, path: KeyPath, message: str) -> NoReturn:
        msg = f"Endpoint {self.name!r}: {message}"
        raise self.error(msg)


def placed(settings: Settings, stored: Stored, env: Mapping[str, str]) -> tuple[Placed, ...]:
    """Every endpoint, configured or stored; a row that cannot be used is passed over and says why."""
    rows = {name.removeprefix(PREFIX): row for name, row in stored.items() if name.startswith(PREFIX)}
    configured = {endpoint.name: endpoint for endpoint in settings.endpoints}
    found = [_placed(settings, endpoint.name, rows.get(endpoint.name), env) for endpoint in settings.endpoints]
    return (*found, *(_placed(settings, name, row, env) for name, row in rows.items() if name not in configured))


def settings_now(settings: Settings, stored: Stored, env: Mapping[str, str]) -> Settings:
    """The settings with the endpoints of this moment."""
    if not stored:
        return settings
    active = [one for one in placed(settings, stored, env) if one.active]
    sources = {**settings.sources, **{f"{PREFIX}{one.endpoint.name}": one.source for one in active}}
    return replace(settings, endpoints=tuple(one.endpoint for one in active), sources=sources)


def _placed(settings: Settings, name: str, row: str | None, env: Mapping[str, str]) -> Placed:
    base = _configured(settings, name)
    source = settings.sources.get(f"{PREFIX}{name}", "default") if base else DATABASE
    if row is None:
        return Placed(base or EndpointConfig(name), source)
    try:
        said = parse_row(name, row)
        endpoint = stored_endpoint(settings, name, said, env)
    except ConfigError as error:
        return Placed(base or EndpointConfig(name), source, problem=str(error), active=base is not None)
    changed = base is not None and endpoint != base
    removed = said.get(REMOVED) is True
    return Placed(endpoint, f"{source}, {DATABASE}" if changed else source, removed, active=not removed)


def parse_row(name: str, row: str) -> dict[str, Any]:
    """The object that a row holds; ConfigError where it is none."""
    try:
        said = json.loads(row)
    except ValueError:
        said = None
    if not isinstance(said, dict) or not isinstance(said.get(REMOVED, False), bool):
        msg = f'Endpoint {name!r}: the database holds {row[:60]!r}; it must be an object such as {{"limit": 8}}.'
        raise ConfigError(msg)
    return said


def stored_endpoint(settings: Settings, name: str, said: Mapping[str, Any], env: Mapping[str, str]) -> EndpointConfig:
    """The endpoint of a name with what a row says of it; ConfigError names what may not or cannot be."""
    base = _configured(settings, name)
    source = _Row(Path(), {}, ConfigError, name)
    given = {key: value for key, value in said.items() if key != REMOVED}
    table = Table(source, (), {**(_written(base) if base else {}), **given, "name": name})
    if base is None and name == CLI:
        table.fail("name", "this name is the command line's. Choose another.")
    if given.get("kind") == CALLABLE or "function" in given:
        table.fail("kind", "a Python function is named in the configuration file only, by who may run code here.")
    endpoint = endpoint_of(table, env)
    _check_address(table, endpoint)
    if endpoint.key_env and {"url", "key_env", "kind"} & set(given):
        _check_key(table, endpoint, settings, env)
    return endpoint


def _configured(settings: Settings, name: str) -> EndpointConfig | None:
    return next((endpoint for endpoint in settings.endpoints if endpoint.name == name), None)


def _written(endpoint: EndpointConfig) -> dict[str, Any]:
    """An endpoint as the table that it could have come from."""
    defaults = {f.name: f.default for f in fields(endpoint) if f.default is not MISSING}
    values = {f.name: getattr(endpoint, f.name) for f in fields(endpoint)}
    written = {key: value for key, value in values.items() if value != defaults.get(key, MISSING)}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in written.items()}


def _check_address(table: Table, endpoint: EndpointConfig) -> None:
    if endpoint.url and "@" in urlsplit(endpoint.url).netloc:
        table.fail("url", "the url holds a name or password. Put the key in a variable and name that as key_env.")


def _check_key(table: Table, endpoint: EndpointConfig, settings: Settings, env: Mapping[str, str]) -> None:
    """A key belongs to the hosts that the configuration sends it to; one that it does not name may go to any."""
    variable, origin = endpoint.key_env or "", _origin(endpoint.url)
    homes = _homes(variable, settings, env)
    if homes and origin not in homes:
        hosts = ", ".join(sorted(host for _, host in homes))
        table.fail("key_env", f"the key in {variable} belongs to {hosts}, not to {origin[1]}. Name another variable.")
    if not homes and (not variable.endswith(_KEY_ENDING) or variable == settings.search.key_env):
        table.fail("key_env", f"{variable} is no model server's key; the variable's name must end in {_KEY_ENDING}.")


def _homes(variable: str, settings: Settings, env: Mapping[str, str]) -> set[tuple[str, str]]:
    """Where the key of a variable may go."""
    homes = {_origin(endpoint.url) for endpoint in settings.endpoints if endpoint.key_env == variable}
    for kind, address in HOMES.items():
        if variable == f"{kind.upper()}_API_KEY":
            homes |= {_origin(address), _origin(env.get(f"{kind.upper()}_BASE_URL", "").strip() or address)}
    return homes


def _origin(address: str | None) -> tuple[str, str]:
    split = urlsplit(address or "")
    return split.scheme, split.netloc.rpartition("@")[2].lower()
