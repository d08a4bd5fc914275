"""Connections: used again, closed when a call is left, never sent to twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from core.base.errors import BrokenReplyError, UnreachableError
from core.models import Deadlines, HttpTransport, OpenAIModel
from tests.models.asking import PLAIN, STREAMED, with_model
from tests.support import fault_server as fs


async def drained(server: fs.FaultServer) -> bool:
    """Whether the server soon sees every connection closed."""
    for _ in range(200):
        if not server.open:
            return True
        await asyncio.sleep(0.005)
    return False


@pytest.mark.parametrize("request_", [PLAIN, STREAMED], ids=["whole", "streamed"])
def test_a_cancelled_call_closes_its_connection(request_: fs.Any) -> None:
    """The server sees at once that nobody waits any more, and can stop working."""

    async def use(model: OpenAIModel, server: fs.FaultServer) -> None:
        task = asyncio.create_task(model.complete(replace(request_, timeout=30)))
        while not server.requests:
            await asyncio.sleep(0.002)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await drained(server)

    with_model(use, fs.hang)


def test_a_late_call_closes_its_connection() -> None:
    """A deadline does the same, and the next call gets a new connection."""

    async def use(model: OpenAIModel, server: fs.FaultServer) -> None:
        with pytest.raises(BrokenReplyError):
            await model.complete(replace(PLAIN, timeout=0.03))
        assert await drained(server)
        assert (await model.complete(PLAIN)).text
        assert server.connections == 2

    with_model(use, fs.hang)


def test_a_connection_closed_by_the_server_is_not_used() -> None:
    """After Connection: close, and after a server that hangs up between calls, a new one is made."""

    async def use(model: OpenAIModel, server: fs.FaultServer) -> int:
        for _ in range(3):
            assert (await model.complete(PLAIN)).text
            await asyncio.sleep(0.01)
        return server.connections

    closing = fs.response(200, fs.completion(), connection="close")
    assert with_model(use, closing, fs.good_then_gone) == 3


def test_an_idle_connection_is_not_kept_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that a server might be about to close is not used: there is no second try for what meets its end."""
    monkeypatch.setattr("core.models.ways.IDLE_CONNECTION_S", 0.01)

    async def use(model: OpenAIModel, server: fs.FaultServer) -> int:
        await model.complete(PLAIN)
        await asyncio.sleep(0.03)
        await model.complete(PLAIN)
        return server.connections

    assert with_model(use) == 2


def test_more_calls_than_connections_wait_then_are_told() -> None:
    """Beyond max_connections a call waits for the connect deadline; nothing of it was sent."""

    async def main() -> None:
        async with fs.FaultServer(fs.hang) as server:
            transport = HttpTransport(max_connections=1, deadlines=Deadlines(connect=0.03))
            model = OpenAIModel(server.url, transport=transport)
            first = asyncio.create_task(model.complete(PLAIN))
            while not server.requests:
                await asyncio.sleep(0.002)
            with pytest.raises(UnreachableError, match="busy"):
                await model.complete(PLAIN)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            assert (await model.complete(PLAIN)).text
            await transport.aclose()

    asyncio.run(main())


def test_closing_the_transport_ends_calls_in_flight() -> None:
    """Nobody waits for ever on a closed transport."""

    async def use(model: OpenAIModel, server: fs.FaultServer) -> None:
        task = asyncio.create_task(model.complete(PLAIN))
        while not server.requests:
            await asyncio.sleep(0.002)
        await model.transport.aclose()
        with pytest.raises(BrokenReplyError):
            await task
        assert await drained(server)

    with_model(use, fs.hang)


@pytest.mark.parametrize("request_", [PLAIN, STREAMED], ids=["whole", "streamed"])
def test_many_calls_at_once_share_what_is_there(request_: fs.Any) -> None:
    """A hundred calls, twenty at a time, need twenty connections and leave none open after closing."""

    async def use(model: OpenAIModel, server: fs.FaultServer) -> None:
        limit = asyncio.Semaphore(20)

        async def one() -> None:
            async with limit:
                await model.complete(request_)

        await asyncio.gather(*(one() for _ in range(100)))
        assert server.connections <= 20
        await model.transport.aclose()
        assert await drained(server)

    with_model(use, *[fs.stream(fs.chunk("ok", "stop")) if request_.stream else fs.good()] * 100)


def test_a_complete_stream_counts_though_its_end_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """After [DONE] the answer is there, whether or not the server finishes its chunks."""
    monkeypatch.setattr("core.models.transport.AFTER_THE_END_S", 0.02)

    async def use(model: OpenAIModel, server: fs.FaultServer) -> str:
        return (await model.complete(STREAMED)).text

    assert with_model(use, fs.stream_without_end) == "ok"


def test_nothing_is_sent_twice_on_a_connection_that_breaks() -> None:
    """A connection that served a call and breaks under the next one: the call fails, and is not sent anew."""

    async def use(model: OpenAIModel, server: fs.FaultServer) -> tuple[int, int]:
        await model.complete(PLAIN)
        with pytest.raises(BrokenReplyError):
            await model.complete(PLAIN)
        return len(server.requests), server.connections

    assert with_model(use, fs.good(), fs.hang_up) == (2, 1)


def test_no_cookie_is_kept() -> None:
    """What a server sets is not sent back: calls know nothing of each other."""

    async def use(model: OpenAIModel, server: fs.FaultServer) -> bool:
        await model.complete(PLAIN)
        await model.complete(PLAIN)
        return "cookie" in server.requests[1].headers

    assert not with_model(use, fs.response(200, fs.completion(), set_cookie="a=b; Path=/"))


def test_closing_leaves_no_socket_and_no_task() -> None:
    """Also with calls in flight, and a second one waiting for a connection, which is told rather than cancelled."""

    async def main() -> None:
        async with fs.FaultServer(fs.hang) as server:
            transport = HttpTransport(max_connections=1)
            model = OpenAIModel(server.url, transport=transport)
            before = asyncio.all_tasks()
            calls = [asyncio.create_task(model.complete(PLAIN)) for _ in range(2)]
            while not server.requests:
                await asyncio.sleep(0.002)
            await transport.aclose()
            first, second = await asyncio.gather(*calls, return_exceptions=True)
            assert isinstance(first, BrokenReplyError)
            assert isinstance(second, UnreachableError)
            assert await drained(server)
            assert {task for task in asyncio.all_tasks() - before if "_serve" not in str(task)} == set()
            with pytest.raises(UnreachableError, match="closed"):
                await model.complete(PLAIN)

    asyncio.run(main())
