"""From an endpoint of the configuration to the model that serves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.base.endpoints import ENDPOINT_KINDS, EndpointConfig
from core.base.errors import ConfigError
from core.base.records import Model
from core.models.addresses import parse_url
from core.models.anthropic import AnthropicModel
from core.models.callable import CallableModel
from core.models.extractive import ExtractiveModel
from core.models.http_model import HttpModel
from core.models.openai import OpenAIModel
from core.models.transport import HttpTransport

OPENAI = "https://api.openai.com/v1"
ANTHROPIC = "https://api.anthropic.com"


@dataclass(frozen=True, slots=True)
class Home:
    """The client of a kind, its provider's own address, and how the variables of address and key begin."""

    client: Callable[..., HttpModel]
    url: str
    prefix: str

    def address(self, env: Mapping[str, str]) -> str:
        """Where calls go when the endpoint names no url."""
        return env.get(f"{self.prefix}_BASE_URL", "").strip() or self.url


_OPENAI = Home(OpenAIModel, OPENAI, "OPENAI")
HOMES = {"openai": _OPENAI, "practice": _OPENAI, "anthropic": Home(AnthropicModel, ANTHROPIC, "ANTHROPIC")}


def open_model(endpoint: EndpointConfig, *, transport: HttpTransport, env: Mapping[str, str]) -> Model:
    """The model of an endpoint; ConfigError names the endpoint and what is missing.

    Without a url, an openai endpoint is OPENAI_BASE_URL, else OpenAI itself. A key belongs to its host: OPENAI_API_KEY
    goes to OpenAI's own host, or to OPENAI_BASE_URL, and anywhere else only where key_env names it. The same holds for
    Anthropic and its variables.
    """
    if endpoint.kind == "extractive":
        return ExtractiveModel()
    if endpoint.kind == "callable":
        return _function(endpoint)
    if endpoint.kind == "practice" and not endpoint.url:
        msg = f"Endpoint {endpoint.name!r} is a practice server that has not been started: it has no url yet."
        raise ConfigError(msg)
    home = HOMES.get(endpoint.kind)
    if home is None:
        msg = f"Endpoint {endpoint.name!r} is of kind {endpoint.kind!r}; known kinds: {', '.join(ENDPOINT_KINDS)}."
        raise ConfigError(msg)
    url = endpoint.url or home.address(env)
    return home.client(url, transport=transport, api_key=_key(endpoint, url, home, env))


def _function(endpoint: EndpointConfig) -> CallableModel:
    """The function of an endpoint, which is imported on first use."""
    if not endpoint.function:
        msg = f'Endpoint {endpoint.name!r} needs function = "package.module:name".'
        raise ConfigError(msg)
    return CallableModel(endpoint.function, size=endpoint.limit or 1)


def _key(endpoint: EndpointConfig, url: str, home: Home, env: Mapping[str, str]) -> str | None:
    origin = parse_url(url).origin
    if endpoint.key_env is None:
        ours = {parse_url(own).origin for own in (home.url, home.address(env))}
        return env.get(f"{home.prefix}_API_KEY") if origin in ours else None
    key = env.get(endpoint.key_env)
    if not key and not (origin.loopback or (origin.literal and origin.literal.is_private)):
        msg = (
            f"Endpoint {endpoint.name!r} needs the key in {endpoint.key_env}, which is not set. Set it or drop key_env."
        )
        raise ConfigError(msg)
    return key or None
