"""The proxy variables mean what they mean everywhere, except for servers on this machine."""

from __future__ import annotations

import asyncio

import pytest

from core.models import HttpTransport, OpenAIModel
from core.models.addresses import Origin
from core.models.proxies import proxy_for
from tests.models.asking import PLAIN
from tests.support.fault_server import FaultServer


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("env", "origin", "proxy"),
    [
        ({"HTTPS_PROXY": "http://p:1"}, Origin("https", "api.example", 443), "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, Origin("http", "api.example", 80), None),
        ({"ALL_PROXY": "p:1"}, Origin("http", "api.example", 80), "http://p:1"),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "other, .example"}, Origin("http", "api.example", 80), None),
        ({"HTTP_PROXY": "http://p:1"}, Origin("http", "127.0.0.1", 8000), None),
        ({"HTTP_PROXY": "http://p:1"}, Origin("http", "localhost", 8000), None),
        ({"ALL_PROXY": "http://p:1"}, Origin("http", "::1", 8000), None),
        ({}, Origin("https", "api.example", 443), None),
    ],
)
def test_the_variables_choose_the_proxy(
    env: dict[str, str], origin: Origin, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By scheme, with exceptions, and never for loopback."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(origin) == proxy


def test_a_call_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy gets the whole URL, and resolves the name itself."""

    async def main() -> str:
        async with FaultServer() as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/v1"))
            transport = HttpTransport()
            await OpenAIModel("http://far-away.invalid/v1", transport=transport).complete(PLAIN)
            await transport.aclose()
            return proxy.requests[0].line

    assert asyncio.run(main()) == "POST http://far-away.invalid/v1/chat/completions HTTP/1.1"
