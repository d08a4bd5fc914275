"""The connections to model servers: httpx over aiohttp, with deadlines, and errors that say what can have been sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

import aiohttp
import httpx

from core.base.errors import MalformedError, ModelError, UnreachableError
from core.models.addresses import Origin
from core.models.breakage import error_of
from core.models.progress import Deadlines, Progress, Step
from core.models.ways import Way

LARGEST_BODY = 10 * 1024 * 1024
AFTER_THE_END_S = 1.0
DEADLINES = Deadlines()

Sink = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, the headers by lower-case names. `body` is empty where a sink took it; gap: the longest pause
    between two of its pieces, in seconds."""

    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    streamed: bool = False
    gap: float = 0.0


class HttpTransport:
    """The connections of one event loop. `max_connections` bounds the requests in flight per origin."""

    def __init__(self, *, max_connections: int = 1024, deadlines: Deadlines = DEADLINES) -> None:
        self.max_connections = max_connections
        self.deadlines = deadlines
        self._ways: dict[Origin, Way] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"<HttpTransport {', '.join(map(str, self._ways)) or 'idle'}>"

    async def send(
        self,
        origin: Origin,
        request: httpx.Request,
        seconds: float,
        sink: Sink | None = None,
        *,
        first_byte: float | None = None,
        idle: float | None = None,
    ) -> Answer:
        """One request and its answer, within `seconds` in all; every failure is a ModelError.

        first_byte, idle: this call's own deadlines, in place of the transport's.

        The sink gets the pieces of an event stream and says when the answer is complete; what it raises is raised.
        """
        way = self._way(origin)
        own = self.deadlines
        progress = Progress(seconds, Deadlines(own.connect, first_byte or own.first_byte, idle or own.idle))
        try:
            async with progress:
                return await _exchange(way, request, progress, sink)
        except asyncio.CancelledError:
            if not self._closed or _cancelled():
                raise
            failure: ModelError = _closed(origin)
        except (ModelError, TimeoutError, httpx.HTTPError, aiohttp.ClientError) as exc:
            failure = error_of(exc, progress, origin)
        if not progress.sent:
            way.forget()
        # Raised here, not above: what a library raised holds the request with its key.
        raise failure

    def _way(self, origin: Origin) -> Way:
        if self._closed:
            raise _closed(origin)
        way = self._ways.get(origin)
        if way is None:
            way = self._ways[origin] = Way(origin, self.max_connections)
        return way

    async def aclose(self) -> None:
        """Close every connection; calls in flight fail."""
        self._closed = True
        for way in self._ways.values():
            await way.aclose()
        self._ways.clear()


async def _exchange(way: Way, request: httpx.Request, progress: Progress, sink: Sink | None) -> Answer:
    response = await way.send(request)
    try:
        return await _answer(response, progress, sink)
    finally:
        await response.aclose()


async def _answer(response: httpx.Response, progress: Progress, sink: Sink | None) -> Answer:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers.raw}
    if headers.get("content-encoding", "identity") != "identity":
        msg = "The server's answer is not understood: it is compressed, which was not asked for."
        raise MalformedError(msg)
    streamed = response.status_code == 200 and "event-stream" in headers.get("content-type", "")
    parts: list[bytes] = []
    take = sink if sink and streamed else parts.append
    # The stream itself: httpx's own reading decodes and cuts anew, which costs as much as all the rest.
    await _read(aiter(cast(AsyncIterable[bytes], response.stream)), progress, take)
    return Answer(response.status_code, headers, b"".join(parts), streamed=take is sink, gap=progress.gap)


async def _read(pieces: AsyncIterator[bytes], progress: Progress, take: Callable[[bytes], bool | None]) -> None:
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > LARGEST_BODY:
            msg = f"The server's answer has more than {LARGEST_BODY >> 20} MB: the call was aborted."
            raise MalformedError(msg)
        if take(piece):
            progress.reach(Step.ENDED)
            await _finish(pieces)
            return
        progress.reach(Step.READING)


async def _finish(pieces: AsyncIterator[bytes]) -> None:
    """What follows a complete answer is awaited for a moment, to keep the connection."""
    with suppress(TimeoutError, httpx.TransportError):
        async with asyncio.timeout(AFTER_THE_END_S):
            async for _ in pieces:
                pass


def _cancelled() -> bool:
    """Whether this task is cancelled, and not what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _closed(origin: Origin) -> UnreachableError:
    return UnreachableError(f"{origin} is not called: its connections were closed.")
