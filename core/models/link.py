"""One connection to a model server: a request, its answer, deadlines.

A call that is left, cancelled or late, closes its connection, so that the server stops working on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from core.base.errors import BrokenReplyError, ModelError
from core.models.addresses import Origin
from core.models.wire import AnswerParser

AFTER_THE_END_S = 1.0

Sink = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds; the total is the request's own. first_byte None: only the total bounds it, for a queue may be long."""

    connect: float = 10.0
    first_byte: float | None = None
    idle: float = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is empty where a sink took it."""

    status: int
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    streamed: bool = False


@dataclass(frozen=True, slots=True)
class Via:
    """What the way to a server adds to each request: an absolute target and a header line for a proxy."""

    authority: str
    prefix: str = ""
    line: bytes = field(repr=False, default=b"")


class Outgoing:
    """A request; its header lines hold a key, so that it shows none of them."""

    __slots__ = ("_body", "_lines", "_method", "_path")

    def __init__(self, method: str, path: str, lines: bytes = b"", body: bytes = b"") -> None:
        self._method = method
        self._path = path
        self._lines = lines
        self._body = body

    def __repr__(self) -> str:
        return f"<Outgoing {self._method} {self._path}, {len(self._body)} bytes>"

    def encode(self, via: Via) -> bytes:
        """All of its bytes."""
        first = f"{self._method} {via.prefix}{self._path} HTTP/1.1\r\nhost: {via.authority}\r\n".encode("ascii")
        body = self._body
        return b"%b%b%bcontent-length: %d\r\n\r\n%b" % (first, via.line, self._lines, len(body), body)


class Link(asyncio.Protocol):
    """A connection that serves one call at a time; `reusable` says whether it can serve the next."""

    def __init__(self, origin: Origin, deadlines: Deadlines) -> None:
        self._origin = origin
        self._deadlines = deadlines
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._parser: AnswerParser | None = None
        self._result: asyncio.Future[Answer] | None = None
        self._sink: Sink | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._until = 0.0
        self._came_at = 0.0
        self._gone = False
        self.idle_since = 0.0

    def __repr__(self) -> str:
        return f"<Link {self._origin} {'gone' if self._gone else 'busy' if self._result else 'idle'}>"

    @property
    def reusable(self) -> bool:
        """Whether another call can be sent here."""
        return not self._gone and self._result is None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected; again, when TLS begins inside a proxy's tunnel."""
        self._transport = cast(asyncio.Transport, transport)

    def close(self) -> None:
        """Hang up at once."""
        self._gone = True
        self._transport.abort()

    async def call(
        self, request: Outgoing, via: Via, until: float, sink: Sink | None = None, *, bodyless: bool = False
    ) -> Answer:
        """Send and read, until that moment of the loop's time at most.

        The sink gets the pieces of an event stream and says when the answer is complete. Raises BrokenReplyError (cut
        off, or a deadline), MalformedError (no HTTP, or too large) and what the sink raises.
        """
        self._result = self._loop.create_future()
        self._parser = AnswerParser(self._begin, bodyless=bodyless)
        self._sink = sink
        self._until = until
        self._arm(self._deadlines.first_byte)
        self._transport.write(request.encode(via))
        try:
            return await self._result
        finally:
            self._leave()

    def _arm(self, seconds: float | None) -> None:
        """Set the one timer of a call."""
        if self._alarm:
            self._alarm.cancel()
        at = self._until if seconds is None else min(self._until, self._loop.time() + seconds)
        self._alarm = self._loop.call_at(at, self._ring)

    def _leave(self) -> None:
        """The call is over, or its caller has gone."""
        if self._alarm:
            self._alarm.cancel()
        if not (self._parser and self._parser.complete and self._parser.keep):
            self.close()
        self._result = self._parser = self._sink = self._alarm = None
        self.idle_since = self._loop.time()

    def _begin(self) -> None:
        """Status and headers are known: an event stream goes to its sink."""
        parser = self._parser
        if self._sink and parser and parser.status == 200 and "event-stream" in parser.headers.get("content-type", ""):
            parser.take = self._pour

    def _pour(self, piece: bytes) -> None:
        """A piece of the stream. What follows a complete answer is awaited for a moment, to keep the connection."""
        if self._sink and self._sink(piece):
            self._sink = None
            self._until = self._loop.time() + AFTER_THE_END_S
            self._arm(None)

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer; bytes that nobody asked for end the connection."""
        parser = self._parser
        if parser is None:
            self.close()
            return
        begun = parser.status
        self._came_at = self._loop.time()
        try:
            parser.feed(data)
        except ModelError as error:
            self._fail(error)
            return
        if parser.complete:
            self._finish()
        elif not begun:
            self._arm(self._deadlines.idle)

    def eof_received(self) -> None:
        """The server sends no more."""
        if self._parser and self._parser.end():
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._gone = True
        if self._told_all:
            self._finish()
        self._fail(BrokenReplyError(f"The connection to {self._origin.host} broke before its answer was complete."))

    @property
    def _told_all(self) -> bool:
        """Whether the sink has called a streamed answer complete."""
        return self._parser is not None and self._parser.take is not None and self._sink is None

    def _ring(self) -> None:
        """A deadline, unless something came meanwhile and time is left."""
        begun = self._parser is not None and self._parser.status
        due = min(self._until, self._came_at + self._deadlines.idle) if begun else 0.0
        if due > self._loop.time():
            self._alarm = self._loop.call_at(due, self._ring)
        elif self._told_all:
            self._finish()
        else:
            what = "finish its answer" if begun else "begin to answer"
            msg = f"{self._origin.host} did not {what} in time; whether the call is billed is unknown."
            self._fail(BrokenReplyError(msg))

    def _finish(self) -> None:
        if self._parser and self._result and not self._result.done():
            parser, streamed = self._parser, self._parser.take is not None
            self._result.set_result(Answer(parser.status, parser.headers, b"" if streamed else parser.body, streamed))

    def _fail(self, error: ModelError) -> None:
        if self._result and not self._result.done():
            self._result.set_exception(error)
