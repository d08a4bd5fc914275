"""A small HTTP/1.1 server: just what a loopback practice server needs, at a fraction of a framework's CPU per call."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

LARGEST_HEAD = 64 * 1024
LARGEST_BODY = 10 * 1024 * 1024
LINGER_NOT = struct.pack("ii", 1, 0)
_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Request:
    """A request read whole."""

    method: str
    path: str
    query: str
    body: bytes


Handler = Callable[[Request, "Connection"], None]


class Connection(asyncio.Protocol):
    """One client's connection. The handler answers a request, now or later, with `send`, or with `begin` and `chunk`s.

    `on_lost` is called when the client goes away before it has its answer. Requests behind the one in hand wait.
    """

    def __init__(self, handler: Handler, connections: set[Connection], headers: Mapping[str, str]) -> None:
        self._handler = handler
        self._connections = connections
        self._fixed = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._buffer = bytearray()
        self._transport: asyncio.Transport
        self._busy = False
        self._keep = True
        self.on_lost: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one only in its manners
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went."""
        self._connections.discard(self)
        self._busy = True
        lost, self.on_lost = self.on_lost, None
        if lost:
            lost()

    def data_received(self, data: bytes) -> None:
        """More of a request."""
        self._buffer += data
        self._next()

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def reset(self) -> None:
        """Break off in the middle: the client gets a RST."""
        self.on_lost = None
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        self._transport.abort()

    def _next(self) -> None:
        while not self._busy and self._buffer:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > LARGEST_HEAD:
                    self._reject(431)
                return
            if not self._read(bytes(self._buffer[:end]), end + 4):
                return

    def _read(self, head: bytes, start: int) -> bool:
        """Read one request and hand it over; False while part of it is missing."""
        lower = head.lower()
        length = _length(lower)
        if length is None or length > LARGEST_BODY:
            self._reject(411 if length is None else 413)
            return False
        if len(self._buffer) < start + length:
            return False
        body = bytes(self._buffer[start : start + length])
        del self._buffer[: start + length]
        self._keep = b"\r\nconnection: close" not in lower
        self._busy = True
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        path, _, query = rest.partition(" ")[0].partition("?")
        self._handler(Request(method, path, query, body), self)
        return True

    def _reject(self, status: int) -> None:
        self._keep = False
        self.send(status, b"{}")

    def send(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, kind: str = "application/json"
    ) -> None:
        """The whole answer."""
        head = self._head(status, kind, headers, f"content-length: {len(body)}\r\n")
        self._transport.write(head + body)
        self._done()

    def begin(self, headers: Mapping[str, str] | None = None) -> None:
        """The head of an event stream."""
        self._transport.write(self._head(200, "text/event-stream", headers, "transfer-encoding: chunked\r\n"))

    def chunk(self, data: bytes, *, last: bool = False) -> None:
        """A piece of the stream; the last one ends it."""
        self._transport.write(b"%x\r\n%b\r\n%b" % (len(data), data, b"0\r\n\r\n" if last else b""))
        if last:
            self._done()

    def _head(self, status: int, kind: str, headers: Mapping[str, str] | None, framing: str) -> bytes:
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items()) if headers else ""
        closing = "" if self._keep else "connection: close\r\n"
        return (
            f"HTTP/1.1 {status} {_REASONS.get(status, '')}\r\ncontent-type: {kind}\r\n"
            f"{framing}{self._fixed}{more}{closing}\r\n"
        ).encode("latin-1")

    def _done(self) -> None:
        self.on_lost = None
        if not self._keep:
            self._transport.close()
            return
        self._busy = False
        if self._buffer:
            asyncio.get_running_loop().call_soon(self._next)


def _length(head: bytes) -> int | None:
    """The body's length; None for a body whose length is not told."""
    if b"\r\ntransfer-encoding:" in head:
        return None
    told = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0].strip()
    return int(told) if told.isdigit() else 0
