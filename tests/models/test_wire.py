"""HTTP/1.1 answers are read the same however they are framed; what is none is an error, and belongs to one call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from core.base.errors import BrokenReplyError, MalformedError, ModelError
from core.models import Deadlines, HttpTransport
from core.models.addresses import Origin
from core.models.transport import Answer
from tests.support.fault_server import Fault, FaultServer, Received

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"
HINTED = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + LENGTH

Ask = Callable[[], Awaitable[Answer]]


def raw(*pieces: bytes, close: bool = False) -> Fault:
    """These bytes, a moment apart."""

    async def fault(_: Received, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.002)
        if close:
            writer.close()

    return fault


def asked(use: Callable[[Ask, FaultServer], Awaitable[Any]], *faults: Fault) -> Any:
    """Run `use` with a way to ask a server that answers with these faults."""

    async def main() -> Any:
        async with FaultServer(*faults) as server:
            transport = HttpTransport(deadlines=Deadlines(first_byte=0.1, idle=0.1))
            origin = Origin("http", "127.0.0.1", server.port)

            async def ask() -> Answer:
                request = httpx.Request("POST", f"{server.url}/x", content=b"{}")
                return await transport.send(origin, request, 1.0)

            try:
                return await use(ask, server)
            finally:
                await transport.aclose()

    return asyncio.run(main())


def answer(*faults: Fault) -> tuple[Answer, int]:
    """What the last of as many calls got, and how many connections they needed."""

    async def use(ask: Ask, server: FaultServer) -> tuple[Answer, int]:
        for _ in faults[1:]:
            await ask()
            await asyncio.sleep(0.01)
        return await ask(), server.connections

    found: tuple[Answer, int] = asked(use, *faults)
    return found


def failure(fault: Fault) -> ModelError:
    """The error of one call, which reached the server once."""

    async def use(ask: Ask, server: FaultServer) -> ModelError:
        with pytest.raises(ModelError) as caught:
            await ask()
        assert len(server.requests) == 1, "the client tried again by itself"
        return caught.value

    error: ModelError = asked(use, fault)
    return error


@pytest.mark.parametrize("cut", [1, 7, 18, 40, 60])
@pytest.mark.parametrize("data", [LENGTH, CHUNKED, HINTED], ids=["length", "chunked", "hinted"])
def test_bytes_may_be_cut_anywhere(data: bytes, cut: int) -> None:
    """By length or in chunks with extensions and trailers, also behind interim answers: the same body, kept alive."""
    fault = raw(data[:cut], data[cut:])
    found, connections = answer(fault, fault)
    assert (found.status, found.body, connections) == (200, b"hello", 1)


def test_headers_are_known_by_lower_case_names() -> None:
    """Names are lowered and values stripped."""
    assert answer(raw(LENGTH))[0].headers == {"content-length": "5", "x-a": "b"}


def test_a_body_may_end_with_the_connection() -> None:
    """Without a length the end of the connection is the end of the body."""
    assert answer(raw(b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo", close=True))[0].body == b"hello"


@pytest.mark.parametrize("data", [LENGTH[:-1], CHUNKED[:-4], LENGTH[:20], b""])
def test_a_body_that_was_cut_off_is_not_complete(data: bytes) -> None:
    """An answer with a length, or in chunks, is not complete because the connection ended; nobody asks again."""
    error = failure(raw(data, close=True))
    assert isinstance(error, BrokenReplyError)
    assert error.sent


@pytest.mark.parametrize(
    ("head", "connections"),
    [
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\n", 2),
        (b"HTTP/1.0 200 OK\r\n", 2),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", 1),
    ],
)
def test_the_server_says_whether_the_connection_stays(head: bytes, connections: int) -> None:
    """Connection: close, and HTTP/1.0's other default."""
    fault = raw(head + b"content-length: 0\r\n\r\n")
    assert answer(fault, fault)[1] == connections


@pytest.mark.parametrize("pieces", [(LENGTH + LENGTH,), (LENGTH, LENGTH)], ids=["at once", "later"])
def test_bytes_behind_the_answer_are_not_the_next_one(pieces: tuple[bytes, ...]) -> None:
    """What comes unasked belongs to no call: it ends the connection."""
    found, connections = answer(raw(*pieces), raw(LENGTH.replace(b"hello", b"other")))
    assert (found.body, connections) == (b"other", 2)


def test_no_body_where_there_can_be_none() -> None:
    """204 has none, whatever its headers say."""
    assert answer(raw(b"HTTP/1.1 204 No Content\r\n\r\n"))[0].body == b""


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n",
        b"x" * 70_000,
    ],
)
def test_what_is_no_answer_is_malformed(data: bytes) -> None:
    """Another protocol, nonsense lengths, codings nobody asked for, endless heads."""
    assert isinstance(failure(raw(data)), MalformedError)
