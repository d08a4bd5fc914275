"""Connections to model servers: one pool per origin over pyreqwest, its name resolved, checked and pinned.

Nothing is tried twice here: every request that may be billed is the caller's decision. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.proxy import ProxyBuilder

from core.models.addresses import Address, Origin, check_literal, first_open, resolve
from core.models.farewell import remember
from core.models.proxies import proxy_for

RESOLVE_AGAIN_S = 300.0
# Below the five seconds after which uvicorn (vLLM) closes an idle connection: no request meets a closing one.
IDLE_CONNECTION_S = 4.0


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds; the total is the request's own. first_byte None: only the total bounds it, for a queue may be long."""

    connect: float = 10.0
    first_byte: float | None = None
    idle: float = 30.0


@dataclass(slots=True)
class _Pool:
    client: Client
    proxied: bool
    address: Address | None
    resolved_at: float


class HttpTransport:
    """The connections of one event loop, made inside it. `max_connections` bounds the requests in flight per origin."""

    def __init__(self, *, max_connections: int = 1024, deadlines: Deadlines = Deadlines()) -> None:
        self.max_connections = max_connections
        self.deadlines = deadlines
        self._pools: dict[Origin, _Pool] = {}
        self._retired: list[Client] = []
        self._lock = asyncio.Lock()
        remember(self)

    def __repr__(self) -> str:
        return f"<HttpTransport {', '.join(map(str, self._pools)) or 'idle'}>"

    async def aclose(self) -> None:
        """Close every connection; calls in flight fail."""
        clients = [pool.client for pool in self._pools.values()] + self._retired
        self.drop()
        for client in clients:
            await client.close()

    def drop(self) -> None:
        """Let go of every connection without a word; for the end of the process."""
        self._pools.clear()
        self._retired.clear()

    async def client(self, origin: Origin) -> Client:
        """The pool of an origin, its name checked within the last five minutes; Unreachable- or RejectedError."""
        pool = self._pools.get(origin)
        if pool and asyncio.get_running_loop().time() - pool.resolved_at < RESOLVE_AGAIN_S:
            return pool.client
        async with self._lock:
            if self._pools.get(origin) is pool:
                self._pools[origin] = await self._renewed(origin, pool)
            return self._pools[origin].client

    def forget(self, origin: Origin) -> None:
        """Resolve the name anew on the next call: nobody answered at the old address."""
        if pool := self._pools.get(origin):
            pool.resolved_at = float("-inf")

    async def _renewed(self, origin: Origin, old: _Pool | None) -> _Pool:
        proxy = proxy_for(origin)
        check_literal(origin)
        # Behind a proxy the name is the proxy's to resolve.
        address = None if proxy else await first_open(origin, await resolve(origin), self.deadlines.connect)
        now = asyncio.get_running_loop().time()
        if old and (old.proxied, old.address) == (proxy is not None, address):
            old.resolved_at = now
            return old
        if old:
            self._retired.append(old.client)
        return _Pool(self._build(origin, proxy, address), proxy is not None, address, now)

    def _build(self, origin: Origin, proxy: str | None, address: Address | None) -> Client:
        connect = timedelta(seconds=self.deadlines.connect)
        builder = ClientBuilder().no_proxy().http1_only().follow_redirects(False).referer(False).user_agent("brigade")
        builder = builder.gzip(False).brotli(False).zstd(False).deflate(False)
        builder = builder.max_connections(self.max_connections).pool_idle_timeout(timedelta(seconds=IDLE_CONNECTION_S))
        builder = builder.connect_timeout(connect).pool_timeout(connect)
        if proxy:
            builder = builder.proxy(ProxyBuilder.all(proxy))
        if address and origin.literal is None:
            builder = builder.resolve(origin.host, str(address), origin.port)
        return builder.build()
