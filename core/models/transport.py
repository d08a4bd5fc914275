"""The connections to model servers, kept for the next call.

Our own HTTP/1.1 over asyncio, because what a call costs hangs on details that libraries leave open: a call that is
cancelled closes its connection (so the server stops), nothing is sent twice, streams come through as they are sent, and
an error says whether the request can have reached the server.
"""

from __future__ import annotations

import asyncio

from core.base.errors import UnreachableError
from core.models.addresses import Origin
from core.models.dialling import Dialler
from core.models.link import Answer, Deadlines, Link, Outgoing, Sink

# Below the five seconds after which uvicorn (vLLM) closes an idle connection: no request meets a closing one.
IDLE_CONNECTION_S = 4.0
DEADLINES = Deadlines()


class HttpTransport:
    """The connections of one event loop, made inside it. `max_connections` bounds the requests in flight per origin."""

    def __init__(self, *, max_connections: int = 1024, deadlines: Deadlines = DEADLINES) -> None:
        self.max_connections = max_connections
        self.deadlines = deadlines
        self._pools: dict[Origin, _Pool] = {}

    def __repr__(self) -> str:
        return f"<HttpTransport {', '.join(map(str, self._pools.values())) or 'idle'}>"

    async def send(self, origin: Origin, request: Outgoing, seconds: float, sink: Sink | None = None) -> Answer:
        """One request and its answer, within `seconds` in all; `Dialler.dial` and `Link.call` tell the errors."""
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = _Pool(origin, self.max_connections, self.deadlines)
        return await pool.send(request, seconds, sink)

    async def aclose(self) -> None:
        """Close every connection; calls in flight fail."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
        await asyncio.sleep(0)


class _Pool:
    """The connections to one origin: the one used last is used next, and those that idle too long are closed."""

    def __init__(self, origin: Origin, most: int, deadlines: Deadlines) -> None:
        self._origin = origin
        self._most = most
        self._deadlines = deadlines
        self._dialler = Dialler(origin, deadlines)
        self._via = self._dialler.via
        self._slots = asyncio.Semaphore(most)
        self._idle: list[Link] = []
        self._busy: set[Link] = set()

    def __str__(self) -> str:
        return f"{self._origin} {len(self._busy)}/{self._most}"

    async def send(self, request: Outgoing, seconds: float, sink: Sink | None) -> Answer:
        until = asyncio.get_running_loop().time() + seconds
        await self._admit(until)
        try:
            link = self._waiting() or await self._dialler.dial(until)
            self._busy.add(link)
            try:
                return await link.call(request, self._via, until, sink)
            finally:
                self._put_back(link)
        finally:
            self._slots.release()

    async def _admit(self, until: float) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        at = min(until, asyncio.get_running_loop().time() + self._deadlines.connect)
        try:
            async with asyncio.timeout_at(at):
                await self._slots.acquire()
        except TimeoutError:
            msg = f"All {self._most} connections to {self._origin} are busy: lower the limit or raise max_connections."
            raise UnreachableError(msg) from None

    def _waiting(self) -> Link | None:
        """A connection that can be used again."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            link = self._idle.pop()
            if link.reusable and now - link.idle_since < IDLE_CONNECTION_S:
                return link
            link.close()
        return None

    def _put_back(self, link: Link) -> None:
        self._busy.discard(link)
        if link.reusable:
            self._idle.append(link)
        while self._idle and link.idle_since - self._idle[0].idle_since > IDLE_CONNECTION_S:
            self._idle.pop(0).close()

    def close(self) -> None:
        """Close all."""
        for link in [*self._idle, *self._busy]:
            link.close()
        self._idle.clear()
