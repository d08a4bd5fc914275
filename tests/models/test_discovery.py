"""Looking at an endpoint before it is needed: its models, one tiny call, and what is said where there is no answer."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from types import ModuleType
from typing import Any, TypeVar

import pytest

from core.base.endpoints import EndpointConfig
from core.models import Discovery, HttpTransport, WarmUp, discover, serves, warm_up
from tests.support import fault_server as fs
from tests.support.clock import FakeClock
from tests.support.fault_server import FaultServer

T = TypeVar("T")
LISTED = fs.response(200, {"object": "list", "data": [{"id": "small"}, {"id": "large"}]})


def looked(use: Callable[[HttpTransport, str], Coroutine[Any, Any, T]], *faults: fs.Fault) -> tuple[T, FaultServer]:
    """What `use` says of a server with those answers, and the server."""

    async def main() -> tuple[T, FaultServer]:
        async with FaultServer(*faults) as server:
            transport = HttpTransport()
            try:
                return await use(transport, server.url), server
            finally:
                await transport.aclose()

    return asyncio.run(main())


def discovered(*faults: fs.Fault, **more: Any) -> Discovery:
    return looked(lambda t, url: discover(EndpointConfig("e", url=url, **more), {}, t), *faults)[0]


def warmed(*faults: fs.Fault, stream: bool = True) -> WarmUp:
    return looked(
        lambda t, url: warm_up(EndpointConfig("e", url=url, stream=stream), "small", {}, t, timeout_s=2.0), *faults
    )[0]


def test_a_server_tells_its_models() -> None:
    """In its order, with the time it took."""
    found = discovered(LISTED)
    assert (found.ok, found.models, found.status) == (True, ("small", "large"), None)
    assert found.latency_s > 0


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        (fs.response(401, {"error": {"message": "no"}}), 401, "Check the key"),
        (fs.response(404, "nothing here"), 404, "does it end in /v1?"),
        (fs.response(200, {"hello": 1}), 200, "does not list models"),
        (fs.response(200, "<html>"), 200, "not JSON"),
        (fs.hang_up, None, "broke before its answer"),
    ],
)
def test_what_does_not_answer_says_why(fault: fs.Fault, status: int | None, said: str) -> None:
    """The status where there is one, and the way out; nothing is raised."""
    found = discovered(fault, fault)  # a listing, which changes nothing, may be asked for twice
    assert (found.ok, found.models, found.status) == (False, (), status)
    assert said in found.error


def test_nobody_there_and_a_missing_key_are_told() -> None:
    """A closed port is asked about; a key that is not set is named without a request."""

    async def main() -> tuple[Discovery, Discovery]:
        transport = HttpTransport()
        closed = await discover(EndpointConfig("e", url="http://127.0.0.1:9/v1"), {}, transport)
        keyless = EndpointConfig("e", url="https://api.example/v1", key_env="MY_KEY")
        missing = await discover(keyless, {}, transport)
        await transport.aclose()
        return closed, missing

    closed, missing = asyncio.run(main())
    assert "Is the server running" in closed.error
    assert "MY_KEY, which is not set" in missing.error


def test_a_model_is_served_under_its_short_name() -> None:
    """Anthropic lists names with dates; elsewhere the name must be the same; no list at all is trusted."""
    dated = Discovery(("claude-haiku-4-5-20251001",), 0.1)
    assert serves(EndpointConfig("a", "anthropic"), "claude-haiku-4-5", dated)
    assert not serves(EndpointConfig("o"), "claude-haiku-4-5", dated)
    assert serves(EndpointConfig("o"), "any", Discovery((), 0.1))


def test_a_tiny_call_shows_the_pace() -> None:
    """A few tokens at most, streamed as the endpoint says; first token, whole time and tokens a second."""
    usage = {"prompt_tokens": 30, "completion_tokens": 8}
    streamed = fs.stream(fs.chunk("Warm "), fs.chunk("soup.", "stop"), {"choices": [], "usage": usage})
    call = lambda t, url: warm_up(EndpointConfig("e", url=url), "small", {}, t)  # noqa: E731
    done, server = looked(call, streamed)
    assert (done.ok, done.model, done.error) == (True, "small", "")
    assert done.ttft_s is not None
    assert 0 < done.ttft_s <= done.latency_s
    assert done.tokens_per_s == pytest.approx(7 / (done.latency_s - done.ttft_s), rel=0.01)
    [request] = server.requests
    body = json.loads(request.body)
    assert (body["model"], body["max_tokens"], body["stream"]) == ("small", 8, True)
    whole = warmed(fs.good(), stream=False)
    assert (whole.ok, whole.ttft_s) == (True, None)


def test_a_call_that_fails_says_why() -> None:
    """With its status, and nothing raised."""
    done = warmed(fs.response(503, {"error": {"message": "loading model"}}), stream=False)
    assert (done.ok, done.status, done.tokens_per_s) == (False, 503, None)
    assert "loading model" in done.error


def test_a_model_that_only_thinks_has_answered() -> None:
    """Eight tokens may all go to thoughts; what is empty for another reason is a fault."""
    thought = fs.good(choices=[{"message": {"content": ""}, "finish_reason": "length"}])
    assert warmed(thought, stream=False).ok
    empty = fs.good(choices=[{"message": {"content": ""}, "finish_reason": "stop"}])
    assert "is empty" in warmed(empty, stream=False).error


def test_functions_and_the_embedded_model_are_looked_at_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function is imported to be discovered and called to be warmed up; the embedded model answers at once."""
    module = ModuleType("theirs")
    module.generate = lambda messages: {"text": "warm soup", "input_tokens": 9, "output_tokens": 2}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "theirs", module)

    async def main() -> tuple[Any, ...]:
        transport, clock = HttpTransport(), FakeClock()
        theirs = EndpointConfig("f", "callable", function="theirs:generate", models=("local",))
        wrong = EndpointConfig("f", "callable", function="theirs:nothing", models=("local",))
        embedded = EndpointConfig("x", "extractive", models=("extractive",))
        return (
            await discover(theirs, {}, transport),
            await discover(wrong, {}, transport),
            await warm_up(theirs, "local", {}, transport),
            await warm_up(wrong, "local", {}, transport),
            await discover(embedded, {}, transport, clock=clock),
            await warm_up(embedded, "extractive", {}, transport),
        )

    there, lacking, called, uncalled, embedded, picked = asyncio.run(main())
    assert (there.models, there.error) == (("local",), "")
    assert "has no nothing" in lacking.error
    assert called.ok
    assert called.tokens_per_s is not None
    assert "has no nothing" in uncalled.error
    assert embedded == Discovery(("extractive",), 0.0)
    assert picked.ok, picked.error
