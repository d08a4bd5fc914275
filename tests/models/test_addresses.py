"""Where a model server may be: metadata services are refused however they are written, local servers are not."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from core.base.errors import ConfigError, RejectedError
from core.models import HttpTransport, OpenAIModel
from core.models.addresses import parse_url, resolve
from tests.models.asking import PLAIN
from tests.support.fault_server import FaultServer


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/v1",
        "http://169.254.0.1/v1",
        "http://2852039166/v1",
        "http://0xa9fea9fe/v1",
        "http://0251.0376.0251.0376/v1",
        "http://169.254.43518/v1",
        "http://[::ffff:169.254.169.254]/v1",
        "http://[::169.254.169.254]/v1",
        "http://[64:ff9b::a9fe:a9fe]/v1",
        "http://[2002:a9fe:a9fe::1]/v1",
        "http://[fe80::1]/v1",
        "http://[febf::1]/v1",
        "http://[fd00:ec2::254]/v1",
        "http://100.100.100.200/v1",
        "http://metadata.google.internal/v1",
        "https://METADATA.google.internal./v1",
        "http://user:word@169.254.169.254/v1",
    ],
)
def test_metadata_addresses_are_refused(url: str) -> None:
    """Link-local and metadata addresses are refused in every spelling, before anything is sent."""

    async def main() -> RejectedError:
        transport = HttpTransport()
        with pytest.raises(RejectedError) as caught:
            await OpenAIModel(url, transport=transport).complete(PLAIN)
        await transport.aclose()
        return caught.value

    assert not asyncio.run(main()).sent


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1%eth0", "::ffff:169.254.169.254"])
def test_a_name_is_judged_by_what_it_resolves_to(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An innocent name that leads to a metadata address is refused, also when another of its addresses is good."""

    async def main() -> None:
        async def lie(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
            return [(0, 0, 0, "", ("127.0.0.1", 80)), (0, 0, 0, "", (address, 80))]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lie)
        with pytest.raises(RejectedError, match="metadata"):
            await resolve(parse_url("http://innocent.example/v1").origin)

    asyncio.run(main())


def test_a_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is pinned: it is not resolved a second time underneath, where another answer could come."""

    async def main() -> int:
        async with FaultServer() as server:
            transport = HttpTransport()

            async def once(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
                return [(socket.AF_INET, 0, 0, "", ("127.0.0.1", server.port))]

            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", once)
            # A name that no resolver knows: it is reached only because it is pinned.
            model = OpenAIModel(f"http://pinned.invalid:{server.port}/v1", transport=transport)
            await model.complete(PLAIN)
            await transport.aclose()
            assert server.requests[0].headers["host"] == f"pinned.invalid:{server.port}"
            return len(server.requests)

    assert asyncio.run(main()) == 1


def test_the_address_that_answers_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a name's addresses the first that accepts a connection is used: `localhost` is often two, one closed."""

    async def main() -> int:
        async with FaultServer() as server:
            transport = HttpTransport()

            async def both(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
                return [(0, 0, 0, "", ("127.0.0.2", server.port)), (0, 0, 0, "", ("127.0.0.1", server.port))]

            loop = asyncio.get_running_loop()
            real = loop.getaddrinfo

            async def lookup(host: str, *rest: Any, **more: Any) -> Any:
                return await (both() if host == "localhost" else real(host, *rest, **more))

            monkeypatch.setattr(loop, "getaddrinfo", lookup)
            await OpenAIModel(f"http://localhost:{server.port}/v1", transport=transport).complete(PLAIN)
            await transport.aclose()
            return len(server.requests)

    assert asyncio.run(main()) == 1


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/v1", "http://10.1.2.3/v1", "http://[fd00::1]/v1", "http://[::1]/v1"]
)
def test_local_and_private_servers_are_allowed(url: str) -> None:
    """Loopback and private ranges are where model servers live."""
    assert len(asyncio.run(resolve(parse_url(url).origin))) == 1


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://host/", "file:///etc/passwd", "unix:///x", "http://", "//host/v1"]
)
def test_only_http_urls_are_taken(url: str) -> None:
    """Another scheme, or no host, is a mistake in the configuration."""
    with pytest.raises(ConfigError, match="http"):
        parse_url(url)


def test_after_a_failure_the_name_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """When nobody answers at the pinned address, the next call resolves the name anew."""

    async def main() -> str:
        async with FaultServer() as server:
            addresses = ["127.0.0.2", "127.0.0.1"]
            transport = HttpTransport()

            async def lookup(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
                return [(0, 0, 0, "", (addresses.pop(0), server.port))]

            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
            model = OpenAIModel(f"http://moving.invalid:{server.port}/v1", transport=transport)
            with pytest.raises(Exception, match="Nobody answers"):
                await model.complete(PLAIN)
            text = (await model.complete(PLAIN)).text
            await transport.aclose()
            return text

    assert asyncio.run(main()) == "All good. [1]"
