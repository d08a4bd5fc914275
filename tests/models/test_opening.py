"""From an endpoint of the configuration to its model; a key goes to its own host only."""

from __future__ import annotations

import asyncio

import pytest

from core.base.endpoints import EndpointConfig
from core.base.errors import ConfigError
from core.base.records import Model
from core.models import ExtractiveModel, HttpTransport, OpenAIModel, open_model
from tests.models.asking import PLAIN
from tests.support.fault_server import FaultServer


def opened(endpoint: EndpointConfig, env: dict[str, str] | None = None) -> Model:
    async def main() -> Model:
        return open_model(endpoint, transport=HttpTransport(), env=env or {})

    return asyncio.run(main())


def authorization(endpoint_of: object, env_of: object) -> str | None:
    """The header that reaches a server; endpoint and environment are made from its URL."""

    async def main() -> str | None:
        async with FaultServer() as server:
            transport = HttpTransport()
            model = open_model(endpoint_of(server.url), transport=transport, env=env_of(server.url))  # type: ignore[operator]
            await model.complete(PLAIN)
            await transport.aclose()
            return server.requests[0].headers.get("authorization")

    return asyncio.run(main())


def test_each_kind_has_its_model() -> None:
    """extractive is the embedded model; openai and a started practice server are HTTP."""
    assert isinstance(opened(EndpointConfig("e", "extractive")), ExtractiveModel)
    assert isinstance(opened(EndpointConfig("o", url="http://127.0.0.1:8000/v1")), OpenAIModel)
    assert isinstance(opened(EndpointConfig("p", "practice", url="http://127.0.0.1:8000/v1")), OpenAIModel)


def test_without_a_url_the_usual_variables_count() -> None:
    """OPENAI_BASE_URL, else OpenAI itself."""
    assert "api.openai.com" in repr(opened(EndpointConfig("o")))
    assert "host:9" in repr(opened(EndpointConfig("o"), {"OPENAI_BASE_URL": "http://host:9/v1"}))


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        (EndpointConfig("p", "practice"), "not been started"),
        (EndpointConfig("x", "bard"), "bard"),
        (EndpointConfig("k", url="https://api.example/v1", key_env="MY_KEY"), "MY_KEY"),
        (EndpointConfig("u", url="gopher://x"), "http"),
    ],
)
def test_what_is_missing_is_named(endpoint: EndpointConfig, said: str) -> None:
    """An endpoint that cannot be opened is a configuration error that says what to change."""
    with pytest.raises(ConfigError, match=said):
        opened(endpoint)


def test_the_named_variable_holds_the_key() -> None:
    """key_env names the variable; its value is the bearer token."""
    endpoint = lambda url: EndpointConfig("o", url=url, key_env="MY_KEY")  # noqa: E731
    assert authorization(endpoint, lambda _: {"MY_KEY": "k-9", "OPENAI_API_KEY": "k-0"}) == "Bearer k-9"


def test_a_local_server_needs_no_key() -> None:
    """On this machine a named variable may be empty."""
    assert authorization(lambda url: EndpointConfig("o", url=url, key_env="MY_KEY"), lambda _: {}) is None


def test_openais_key_goes_nowhere_else() -> None:
    """OPENAI_API_KEY is not sent to another host because its endpoint names no key."""
    assert authorization(lambda url: EndpointConfig("o", url=url), lambda _: {"OPENAI_API_KEY": "k-0"}) is None


def test_openais_key_follows_its_base_url() -> None:
    """With OPENAI_BASE_URL the key goes there."""
    env = lambda url: {"OPENAI_API_KEY": "k-0", "OPENAI_BASE_URL": url}  # noqa: E731
    assert authorization(lambda _: EndpointConfig("o"), env) == "Bearer k-0"
