"""From an endpoint of the configuration to the model that serves it."""

from __future__ import annotations

from collections.abc import Mapping

from core.base.endpoints import EndpointConfig
from core.base.errors import ConfigError
from core.base.records import Model
from core.models.addresses import parse_url
from core.models.extractive import ExtractiveModel
from core.models.openai import OpenAIModel
from core.models.transport import HttpTransport

OPENAI = "https://api.openai.com/v1"


def open_model(endpoint: EndpointConfig, *, transport: HttpTransport, env: Mapping[str, str]) -> Model:
    """The model of an endpoint; ConfigError names the endpoint and what is missing.

    Without a url, an openai endpoint is OPENAI_BASE_URL, else OpenAI itself. A key belongs to its host: OPENAI_API_KEY
    goes to OpenAI's own host, or to OPENAI_BASE_URL, and anywhere else only where key_env names it.
    """
    if endpoint.kind == "extractive":
        return ExtractiveModel()
    if endpoint.kind == "practice" and not endpoint.url:
        msg = f"Endpoint {endpoint.name!r} is a practice server that has not been started: it has no url yet."
        raise ConfigError(msg)
    if endpoint.kind not in {"openai", "practice"}:
        msg = f"Endpoint {endpoint.name!r} is of kind {endpoint.kind!r}; known kinds: openai, practice, extractive."
        raise ConfigError(msg)
    url = endpoint.url or env.get("OPENAI_BASE_URL") or OPENAI
    return OpenAIModel(url, transport=transport, api_key=_key(endpoint, url, env))


def _key(endpoint: EndpointConfig, url: str, env: Mapping[str, str]) -> str | None:
    origin = parse_url(url).origin
    if endpoint.key_env is None:
        ours = {parse_url(home).origin for home in (OPENAI, env.get("OPENAI_BASE_URL") or OPENAI)}
        return env.get("OPENAI_API_KEY") if origin in ours else None
    key = env.get(endpoint.key_env)
    if not key and not (origin.loopback or (origin.literal and origin.literal.is_private)):
        msg = (
            f"Endpoint {endpoint.name!r} needs the key in {endpoint.key_env}, which is not set. Set it or drop key_env."
        )
        raise ConfigError(msg)
    return key or None
