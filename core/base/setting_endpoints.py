"""The endpoints of a start: those of the configuration file, of the environment, and one given by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from core.base.endpoints import ENDPOINT_KINDS, EndpointConfig
from core.base.setting_table import Parse, flag, function, money, one_of, text, url, variable, whole
from core.base.toml_tables import Table, shown

CLI = "cli"
EXTRACTIVE = "extractive"
CALLABLE = "callable"
OPENAI_URL = "https://api.openai.com/v1"
# The addresses of the providers themselves, by kind. Anthropic's endpoint takes Claude's models only, so it goes first.
HOMES = {"anthropic": "https://api.anthropic.com", "openai": OPENAI_URL}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# A key that says nothing without another.
_NEEDS = (
    ("price_input", "price_output"),
    ("price_output", "price_input"),
    ("price_cached", "price_input"),
    ("gpus", "gpu_hour"),
)
_KEYS = ("api_key", "key", "token", "secret", "password")


def all_endpoints(
    root: Table, env: Mapping[str, str], llm_url: str | None, sources: dict[str, str]
) -> tuple[EndpointConfig, ...]:
    """The endpoint given by hand first, then the file's, the environment's and the embedded one; sources fill."""
    found: list[EndpointConfig] = []
    if llm_url:
        found.append(EndpointConfig(CLI, url=llm_url, key_env=bound_key(llm_url, env)))
        sources[f"endpoint.{CLI}"] = sources["llm_url"]
    found += _configured(root, env, sources)
    names = {endpoint.name for endpoint in found}
    for kind in HOMES:
        base, key = f"{kind.upper()}_BASE_URL", f"{kind.upper()}_API_KEY"
        if f"{kind}-env" not in names and (_given(env, base) or _given(env, key)):
            found.append(_from_env(root, env, kind))
            sources[f"endpoint.{kind}-env"] = f"environment {base}, {key}"
    if not any(endpoint.kind == EXTRACTIVE for endpoint in found):
        found.append(EndpointConfig(EXTRACTIVE, EXTRACTIVE, models=(EXTRACTIVE,)))
    return tuple(found)


def bound_key(address: str, env: Mapping[str, str]) -> str | None:
    """The variable of the key for an address given by hand: OpenAI's key goes to OpenAI's host only."""
    if env.get("BRIGADE_LLM_API_KEY"):
        return "BRIGADE_LLM_API_KEY"
    own = _given(env, "OPENAI_BASE_URL") or OPENAI_URL
    return "OPENAI_API_KEY" if urlsplit(own).netloc == urlsplit(address).netloc else None


def without_user(address: str) -> str:
    """An address without the name and password that may stand in it."""
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", address)


def _from_env(root: Table, env: Mapping[str, str], kind: str) -> EndpointConfig:
    address, key = _home(root, env, kind), f"{kind.upper()}_API_KEY"
    provider = kind if address == HOMES[kind] else None
    return EndpointConfig(
        f"{kind}-env", kind, url=address, key_env=key if _given(env, key) else None, provider=provider
    )


def _home(root: Table, env: Mapping[str, str], kind: str) -> str:
    """The address of a provider, or the one that its variable names instead."""
    variable = f"{kind.upper()}_BASE_URL"
    address = _given(env, variable) or HOMES[kind]
    try:
        return url(address)
    except ValueError as exc:
        msg = f"environment {variable} = {shown(without_user(address))}: {exc}."
        raise root.source.error(msg) from None


def _given(env: Mapping[str, str], variable: str) -> str:
    return env.get(variable, "").strip()


def _configured(root: Table, env: Mapping[str, str], sources: dict[str, str]) -> list[EndpointConfig]:
    found: list[EndpointConfig] = []
    for table in root.tables("endpoint"):
        endpoint = endpoint_of(table, env)
        if endpoint.name in (CLI, *(e.name for e in found)):
            table.fail("name", f"endpoint name {endpoint.name!r} is taken. Give each endpoint its own name.")
        sources[f"endpoint.{endpoint.name}"] = str(root.source.path)
        found.append(endpoint)
    return found


def endpoint_of(table: Table, env: Mapping[str, str]) -> EndpointConfig:
    """The endpoint that a table describes; the table's error names what is wrong."""
    return _at_home(table, env, _endpoint(table))


def _at_home(root: Table, env: Mapping[str, str], endpoint: EndpointConfig) -> EndpointConfig:
    """An anthropic endpoint with the address and the key that it did not name; the key goes to its own host only."""
    if endpoint.kind != "anthropic":
        return endpoint
    home = _home(root, env, "anthropic")
    address = endpoint.url or home
    own = _host(address) in (_host(HOMES["anthropic"]), _host(home))
    needed = _given(env, "ANTHROPIC_API_KEY") or _host(address) == _host(HOMES["anthropic"])
    return replace(endpoint, url=address, key_env=endpoint.key_env or ("ANTHROPIC_API_KEY" if own and needed else None))


def _host(address: str) -> tuple[str, str]:
    return urlsplit(address)[:2]


def _endpoint(table: Table) -> EndpointConfig:
    """One [[endpoint]]; a key written into the file is refused without being shown."""
    for key in _KEYS:
        if key in table:
            table.fail(key, f'{key} stands in the file. Put the key in a variable and name that: key_env = "MY_KEY".')
    name = table.name("name")
    if not _NAME.fullmatch(name):
        table.fail("name", f"endpoint name {name!r}: up to 64 letters, digits, `.`, `_` and `-`.")
    default = EndpointConfig(name)
    kind = _value(table, "kind", one_of(*ENDPOINT_KINDS)) or default.kind
    endpoint = EndpointConfig(
        name,
        kind,
        url=_value(table, "url", url),
        key_env=_value(table, "key_env", variable),
        models=table.texts("models") or ((EXTRACTIVE,) if kind == EXTRACTIVE else ()),
        stream=_value(table, "stream", flag) is not False,
        provider=_value(table, "provider", text),
        preset=_value(table, "preset", text) or default.preset,
        function=_value(table, "function", function),
        limit=_value(table, "limit", whole(1)) or (1 if kind == CALLABLE else None),
        rpm=_value(table, "rpm", whole(1)),
        tpm=_value(table, "tpm", whole(1)),
        **_prices(table),
        gpus=_value(table, "gpus", whole(1)) or default.gpus,
    )
    table.done()
    _check(table, endpoint)
    return endpoint


def _prices(table: Table) -> dict[str, Decimal | None]:
    """USD per million tokens, for input and output or not at all; or USD per hour of a GPU."""
    prices = {key: _value(table, key, money) for key in ("price_input", "price_output", "price_cached", "gpu_hour")}
    for key, other in _NEEDS:
        if key in table and other not in table:
            table.fail(key, f"{key} without {other}. Give both, or neither for the provider's own prices.")
    if "gpu_hour" in table and "price_input" in table:
        table.fail("gpu_hour", "gpu_hour beside prices of tokens. Give one of the two: what is paid for.")
    return prices


def _check(table: Table, endpoint: EndpointConfig) -> None:
    if endpoint.kind == "openai" and not endpoint.url:
        table.fail("", f'endpoint {endpoint.name!r} needs url = "http://...".')
    if endpoint.kind not in HOMES:
        for key in ("url", "key_env"):
            if key in table:
                table.fail(key, f"{key} is for openai and anthropic endpoints; {endpoint.kind} needs none.")
    if endpoint.kind in ("practice", CALLABLE) and not endpoint.models:
        table.fail("", f"endpoint {endpoint.name!r} needs models = [...].")
    if endpoint.kind == CALLABLE and not endpoint.function:
        table.fail("", f'endpoint {endpoint.name!r} needs function = "package.module:name".')
    if endpoint.kind != CALLABLE and endpoint.function:
        table.fail("function", f'function is for endpoints of kind = "callable"; this one is {endpoint.kind}.')


def _value(table: Table, key: str, parse: Parse) -> Any:
    raw = table.raw(key)
    if raw is None:
        return None
    try:
        return parse(raw)
    except ValueError as exc:
        value = "..." if key == "key_env" else without_user(shown(raw))
        table.fail(key, f"{key} = {value}: {exc}.")
