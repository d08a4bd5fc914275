"""The way to a server: its name checked when it is resolved, a proxy where the environment names one, TLS."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
import ssl

import aiohttp
import certifi
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from httpx_aiohttp import AiohttpTransport

from core.models.addresses import Origin, check_literal, parse_url, resolve
from core.models.progress import tracing
from core.models.proxies import proxy_for

# Below the five seconds after which uvicorn (vLLM) closes an idle connection: no request meets a closing one.
IDLE_CONNECTION_S = 4.0
FRESH_S = 60
CLOSING_S = 2.0
# Trusts nobody: for ways without TLS, because reading the authorities takes a while.
_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Way:
    """The transport to one origin, made inside the loop. RejectedError for an origin that is never called.

    Without a client of httpx around it: redirects are not followed and cookies not kept anyway, and looking for them
    in every answer takes as long as reading it.

    A proxy resolves the names itself, so that only a direct way checks what they resolve to.
    """

    def __init__(self, origin: Origin, most: int) -> None:
        check_literal(origin)
        proxy, authorization = _proxy(origin)
        tls = _trusted() if "https" in (origin.scheme, proxy and proxy.url.scheme) else _NOBODY
        self._extra = {} if origin.scheme == "https" else authorization
        self._connector = Connector(
            limit=most,
            ssl=tls,
            resolver=None if proxy else Resolver(),
            ttl_dns_cache=FRESH_S,
            keepalive_timeout=IDLE_CONNECTION_S,
        )
        session = aiohttp.ClientSession(
            connector=self._connector, cookie_jar=aiohttp.DummyCookieJar(), trace_configs=[tracing()]
        )
        self._transport = AiohttpTransport(client=session, proxy=proxy, verify=tls)

    async def send(self, request: httpx.Request) -> httpx.Response:
        """The head of the answer; whoever gets it closes it."""
        request.headers.update(self._extra)
        return await self._transport.handle_async_request(request)

    def forget(self) -> None:
        """The name is resolved anew for the next connection."""
        self._connector.clear_dns_cache()

    async def aclose(self) -> None:
        """Close every connection; what a server does not take any more is left after a moment."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_S):
                await self._transport.aclose()
        await asyncio.sleep(0)


class Connector(aiohttp.TCPConnector):
    """Connections on which nothing waits to be read: bytes that nobody asked for are never the next call's answer."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - theirs
    ) -> Connection:
        """What aiohttp asks for."""
        connection = await super().connect(req, traces, timeout)
        while connection.protocol and connection.protocol.should_close:
            connection.close()
            connection = await super().connect(req, traces, timeout)
        return connection


class Resolver(AbstractResolver):
    """Resolves a name to addresses that are all allowed; the connection goes to these very addresses."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """What aiohttp asks for; Unreachable- and RejectedError."""
        return [
            ResolveResult(
                hostname=host, host=str(address), port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
            )
            for address in await resolve(Origin("http", host, port))
        ]

    async def close(self) -> None:
        """Nothing is held open."""


def _proxy(origin: Origin) -> tuple[httpx.Proxy | None, dict[str, str]]:
    """The proxy, and the header that lets one through it: in CONNECT for https, else in each request."""
    found = proxy_for(origin)
    if not found:
        return None, {}
    place = parse_url(found)
    user = base64.b64encode(":".join(place.user).encode()).decode() if place.user else None
    header = {"proxy-authorization": f"Basic {user}"} if user else {}
    return httpx.Proxy(str(place.origin), headers=header), header


def _trusted() -> ssl.SSLContext:
    """TLS that verifies: by SSL_CERT_FILE or SSL_CERT_DIR where set, else by the system's and certifi's authorities."""
    context = ssl.create_default_context()
    if not {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys():
        context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
