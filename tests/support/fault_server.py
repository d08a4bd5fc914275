"""A raw-socket HTTP server that does to its clients what its queue of faults says: real bytes, no framework."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

Fault = Callable[["Received", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Received:
    """A request as it came in."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def completion(text: str | None = "All good. [1]", **changes: Any) -> dict[str, Any]:
    """A good answer's body; changes replace its top-level fields, None removes them."""
    body: dict[str, Any] = {
        "id": "x",
        "object": "chat.completion",
        "model": "m-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17},
    } | changes
    return {key: value for key, value in body.items() if value is not None}


def chunk(text: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One event's data of a streamed answer."""
    delta = {} if text is None else {"content": text}
    return {"model": "m-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]} | more


def response(status: int, body: bytes | str | dict[str, Any] = b"", **headers: str) -> Fault:
    """A whole answer; headers are given with underscores."""
    raw = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body

    async def fault(_: Received, writer: asyncio.StreamWriter) -> None:
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\ncontent-length: {len(raw)}\r\n{more}\r\n"
        writer.write(head.encode("latin-1") + raw)
        await writer.drain()

    return fault


def good(**changes: Any) -> Fault:
    """A good answer, or one whose fields are changed."""
    return response(200, completion(**changes))


def stream(*events: dict[str, Any] | str, done: bool = True, gap: asyncio.Event | None = None) -> Fault:
    """An event stream; with a gap, everything after the first event waits for it."""
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events] + ["[DONE]"] * done

    async def fault(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for number, line in enumerate(lines):
            if number == 1 and gap:
                await gap.wait()
            _chunked(writer, f"data: {line}\n\n".encode())
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    return fault


def _chunked(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))


async def hang(_: Received, writer: asyncio.StreamWriter) -> None:
    """Never a byte."""
    await asyncio.Event().wait()


async def hang_up(_: Received, writer: asyncio.StreamWriter) -> None:
    """Close without an answer."""
    writer.close()


async def reset(_: Received, writer: asyncio.StreamWriter) -> None:
    """Reset the connection without an answer."""
    _reset(writer)


async def reset_in_body(_: Received, writer: asyncio.StreamWriter) -> None:
    """Reset the connection in the middle of the body."""
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"choices": [')
    await writer.drain()
    await asyncio.sleep(0.02)
    _reset(writer)


async def reset_in_stream(_: Received, writer: asyncio.StreamWriter) -> None:
    """Reset the connection after the first event."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    _chunked(writer, f"data: {json.dumps(chunk('All'))}\n\n".encode())
    await writer.drain()
    await asyncio.sleep(0.02)
    _reset(writer)


async def drip(_: Received, writer: asyncio.StreamWriter) -> None:
    """A body of which a byte comes now and then, without end."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        _chunked(writer, b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def good_then_gone(_: Received, writer: asyncio.StreamWriter) -> None:
    """A good answer that promises to stay, and then a closed connection."""
    await good()(_, writer)
    writer.close()


async def stream_without_end(_: Received, writer: asyncio.StreamWriter) -> None:
    """A complete event stream whose last chunk never comes."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    _chunked(writer, f"data: {json.dumps(chunk('ok', 'stop'))}\n\ndata: [DONE]\n\n".encode())
    await asyncio.Event().wait()


def oversized(*, declared: bool, streamed: bool = False) -> Fault:
    """A body of 11 MB, with or without saying so beforehand."""

    async def fault(_: Received, writer: asyncio.StreamWriter) -> None:
        kind = "text/event-stream" if streamed else "application/json"
        framing = "content-length: 11534336" if declared else "transfer-encoding: chunked"
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{framing}\r\n\r\n".encode())
        for _i in range(176):
            piece = b"x" * 65_536
            writer.write(piece) if declared else _chunked(writer, piece)
            await writer.drain()
        writer.write(b"" if declared else b"0\r\n\r\n")
        await writer.drain()

    return fault


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class FaultServer:
    """Answers each request with the next fault of its queue, and well when the queue is empty.

    `requests` holds what came in: its length is how often the client really asked.
    """

    def __init__(self, *faults: Fault, tls: ssl.SSLContext | None = None) -> None:
        self._faults = deque(faults)
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self.requests: list[Received] = []
        self.connections = 0
        self.open = 0

    def enqueue(self, *faults: Fault) -> None:
        """More faults, in order."""
        self._faults.extend(faults)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        self.open += 1
        try:
            while received := await _read(reader):
                self.requests.append(received)
                await self._answer(received, reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            writer.transport.abort()

    async def _answer(self, received: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do what is next in the queue, until it is done or the client goes."""
        fault = self._faults.popleft() if self._faults else good()
        doing = asyncio.ensure_future(fault(received, writer))
        gone = asyncio.ensure_future(_gone(reader))
        try:
            await asyncio.wait([doing, gone], return_when=asyncio.FIRST_COMPLETED)
            if gone.done() and not doing.done():
                raise ConnectionResetError
            await doing
        finally:
            for task in (doing, gone):
                task.cancel()
            await asyncio.gather(doing, gone, return_exceptions=True)


async def _gone(reader: asyncio.StreamReader) -> None:
    """Wait until the client has hung up; it sends nothing while it waits for an answer."""
    while not reader.at_eof() and reader.exception() is None:
        await asyncio.sleep(0.002)


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    line, *rest = head.strip().split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (entry.partition(":") for entry in rest)}
    return Received(line, headers, await reader.readexactly(int(headers.get("content-length", 0))))
