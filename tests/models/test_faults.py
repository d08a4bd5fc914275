"""What a client says when things go wrong: one error of the tree for each fault, and never a second request."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from core.base.errors import (
    BrokenReplyError,
    ContextTooLongError,
    MalformedError,
    ModelError,
    RateLimitedError,
    RefusedError,
    RejectedError,
    ServerFaultError,
    UnreachableError,
)
from core.base.records import Usage
from core.models import HttpTransport, OpenAIModel
from tests.models.asking import PATIENT, PLAIN, QUICK, STREAMED, ask, failure, with_model
from tests.support import fault_server as fs
from tests.support.clock import FakeClock

BOTH = pytest.mark.parametrize("request_", [PLAIN, STREAMED], ids=["whole", "streamed"])
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def told(message: str, **more: str) -> dict[str, object]:
    return {"error": {"message": message, **more}}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0.25"}, 0.25),
        ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5),
        ({"retry_after": format_datetime(NOW + timedelta(seconds=42), usegmt=True)}, 42.0),
        ({"retry_after": format_datetime(NOW - timedelta(seconds=42), usegmt=True)}, None),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "0"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "soon"}, None),
        ({}, None),
    ],
)
def test_a_429_tells_when_to_come_again(headers: dict[str, str], seconds: float | None) -> None:
    """Retry-After counts in seconds, in milliseconds and as an HTTP date; what is past or no number is unknown."""
    error = failure(PLAIN, fs.response(429, told("Slow down"), **headers), clock=FakeClock(NOW.timestamp()))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == (None if seconds is None else pytest.approx(seconds))


def test_a_429_may_tell_it_in_the_body() -> None:
    """Google's retryDelay counts where there is no header, and makes a quota message a rate limit."""
    body = {"error": {"message": "check your plan and billing", "details": [{"retryDelay": "34.5s"}]}}
    error = failure(PLAIN, fs.response(429, body))
    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 34.5


@pytest.mark.parametrize(
    "body",
    [
        told("You exceeded your current quota, please check your plan and billing details.", code="insufficient_quota"),
        told("You exceeded your current quota, please check your plan and billing details."),
        told("Your credit balance is too low"),
        told("Billing hard limit has been reached", type="billing_hard_limit_reached"),
    ],
)
def test_a_429_that_means_a_spend_limit_pauses(body: dict[str, object]) -> None:
    """No waiting helps against an empty account: rejected, not rate limited."""
    error = failure(PLAIN, fs.response(429, body))
    assert isinstance(error, RejectedError)
    assert error.status == 429
    assert not error.retryable


@BOTH
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 529])
def test_a_server_fault_is_one(request_: fs.Any, status: int) -> None:
    """These statuses are the server's trouble, with its wish when to come again."""
    error = failure(request_, fs.response(status, "<html>Bad gateway</html>", retry_after="3"))
    assert isinstance(error, ServerFaultError)
    assert (error.status, error.retry_after) == (status, 3.0)


@pytest.mark.parametrize("status", [401, 402, 403, 404, 302])
def test_a_rejection_pauses(status: int) -> None:
    """Wrong key, no right, unknown model and a redirect are not retried; the message names status and host."""
    error = failure(PLAIN, fs.response(status, told("No such model: m"), location="http://127.0.0.1:1/"))
    assert isinstance(error, RejectedError)
    assert error.status == status
    assert str(status) in str(error)
    assert "127.0.0.1" in str(error)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, told("This model's maximum context length is 8192 tokens.", code="context_length_exceeded")),
        (
            400,
            {"object": "error", "message": "The prompt is longer than the maximum model length of 4096", "code": 400},
        ),
        (400, told("the request exceeds the available context size", type="exceed_context_size_error")),
        (413, "Request Entity Too Large"),
        (422, told("Input is too long: 9000 tokens")),
    ],
)
def test_a_context_that_is_too_long_is_told_apart(status: int, body: fs.Any) -> None:
    """A 400 or 413 that speaks of the context can be helped by trimming."""
    assert isinstance(failure(PLAIN, fs.response(status, body)), ContextTooLongError)


def test_another_bad_request_is_just_a_failure() -> None:
    """A 400 that is not about the context concerns this call alone and is not worth a second try."""
    error = failure(PLAIN, fs.response(400, told("Unknown parameter: foo")))
    assert type(error) is ModelError
    assert not error.retryable
    assert "Unknown parameter" in str(error)


def test_nobody_there_is_unreachable() -> None:
    """A refused connection and a name that does not resolve: nothing was sent, nothing can have cost."""

    async def main(url: str) -> ModelError:
        transport = HttpTransport()
        with pytest.raises(ModelError) as caught:
            await OpenAIModel(url, transport=transport).complete(PLAIN)
        await transport.aclose()
        return caught.value

    for url in ("http://127.0.0.1:9/v1", "http://no-such-host.invalid/v1"):
        error = asyncio.run(main(url))
        assert isinstance(error, UnreachableError)
        assert not error.sent


@BOTH
@pytest.mark.parametrize("fault", [fs.hang_up, fs.reset, fs.reset_in_body, fs.reset_in_stream])
def test_a_connection_that_breaks_leaves_the_cost_unknown(request_: fs.Any, fault: fs.Fault) -> None:
    """A reset before, in or after the head of the answer: the request was sent, and billing is unknown."""
    error = failure(request_, fault)
    assert isinstance(error, BrokenReplyError)
    assert error.sent


@BOTH
def test_no_first_byte_ends_in_time(request_: fs.Any) -> None:
    """A server that takes the request and is silent is left at the first-byte deadline."""
    error = failure(request_, fs.hang, deadlines=QUICK)
    assert isinstance(error, BrokenReplyError)
    assert "begin to answer" in str(error)
    assert error.late == "first_byte"


def test_a_head_alone_is_no_first_byte() -> None:
    """A server that sends its headers at once and then works is given the time until its first byte, not a pause's."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

    async def fault(_: fs.Received, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await asyncio.Event().wait()

    error = failure(replace(STREAMED, first_byte=0.05, idle=0.01), fault)
    assert isinstance(error, BrokenReplyError)
    assert (error.late, "begin to answer" in str(error)) == ("first_byte", True)


def test_a_call_brings_its_own_deadlines() -> None:
    """The request's count, not the transport's, which are longer."""
    silent = failure(replace(STREAMED, first_byte=0.05), fs.hang, deadlines=PATIENT)
    paused, whole = (
        failure(request, fs.stream(fs.chunk("a"), fs.chunk("b"), gap=asyncio.Event()), deadlines=PATIENT)
        for request in (replace(STREAMED, idle=0.05), replace(STREAMED, timeout=0.05, first_byte=1.0, idle=1.0))
    )
    assert [error.late for error in (silent, paused, whole)] == ["first_byte", "idle", "total"]  # type: ignore[attr-defined]


def test_a_stream_tells_its_longest_pause() -> None:
    """Of a streamed answer only: from one piece to the next, whatever came before the first."""
    assert ask(PLAIN, fs.good()).reply.gap is None
    gap = asyncio.Event()

    async def use(model: Any, server: Any) -> float | None:
        call = asyncio.ensure_future(model.complete(STREAMED))
        await asyncio.sleep(0.08)
        gap.set()
        return (await call).gap

    pause = with_model(use, fs.stream(fs.chunk("All "), fs.chunk("good. [1]", "stop"), gap=gap))
    assert pause > 0


def test_a_gap_ends_a_stream_in_time() -> None:
    """A stream that stops flowing is left at the idle deadline."""
    error = failure(STREAMED, fs.stream(fs.chunk("a"), fs.chunk("b"), gap=asyncio.Event()), deadlines=QUICK)
    assert isinstance(error, BrokenReplyError)
    assert "finish its answer" in str(error)
    assert error.late == "idle"


@BOTH
def test_a_slow_drip_ends_at_the_total_deadline(request_: fs.Any) -> None:
    """A byte now and then keeps no call alive beyond request.timeout."""
    error = failure(replace(request_, timeout=0.08), fs.drip)
    assert isinstance(error, BrokenReplyError)


@BOTH
@pytest.mark.parametrize(
    "body", ["<html>", "", '{"choices": [{"mess', "[1]", '"text"', "\udcff".encode("utf-8", "surrogatepass")]
)
def test_what_does_not_parse_is_no_answer(request_: fs.Any, body: str | bytes) -> None:
    """A 200 whose body is not a JSON object is malformed."""
    assert isinstance(failure(request_, fs.response(200, body)), MalformedError)


@pytest.mark.parametrize(
    "changes",
    [
        {"choices": []},
        {"choices": None},
        {"choices": [{"index": 0}]},
        {"choices": [{"message": {"content": None}}]},
        {"choices": [{"message": {"content": "  \n"}}]},
        {"choices": "x"},
        {"error": {"message": "CUDA out of memory"}},
        {"error": "overloaded"},
    ],
)
def test_an_empty_answer_is_malformed(changes: dict[str, object]) -> None:
    """No choices, no text, or an error inside a 200 is no answer."""
    assert isinstance(failure(PLAIN, fs.good(**changes)), MalformedError)


@pytest.mark.parametrize(
    "fault",
    [
        fs.stream(fs.chunk("a"), told("CUDA out of memory")),
        fs.stream("{not json"),
        fs.stream("[1]"),
        fs.stream(),
        fs.stream(fs.chunk("", "stop")),
        fs.stream(fs.chunk("cut off"), done=False),
    ],
    ids=["error", "garbage", "no object", "nothing", "empty", "no end"],
)
def test_a_stream_that_is_no_answer_is_malformed(fault: fs.Fault) -> None:
    """An error inside the stream, garbage, nothing, and a stream that ends before its answer."""
    assert isinstance(failure(STREAMED, fault), MalformedError)


@BOTH
@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_10_mb_is_aborted(request_: fs.Any, declared: bool) -> None:
    """An answer beyond 10 MB is not read to its end, whether or not its length was told."""
    error = failure(request_, fs.oversized(declared=declared, streamed=request_.stream))
    assert isinstance(error, MalformedError)
    assert "10 MB" in str(error)


@pytest.mark.parametrize(
    "choice",
    [
        {"message": {"content": None, "refusal": "I can't help with that."}, "finish_reason": "stop"},
        {"message": {"content": "Half a"}, "finish_reason": "content_filter"},
    ],
)
def test_a_refusal_is_one(choice: dict[str, object]) -> None:
    """A refusal and a content filter are not retried."""
    error = failure(PLAIN, fs.good(choices=[choice]))
    assert isinstance(error, RefusedError)
    assert not error.retryable


@pytest.mark.parametrize(
    "event",
    [
        fs.chunk("Half", "content_filter"),
        {"choices": [{"delta": {"refusal": "I can't."}, "finish_reason": "stop"}]},
        told("Filtered", code="content_filter"),
    ],
)
def test_a_refusal_in_a_stream_is_one(event: dict[str, object]) -> None:
    """The same, streamed."""
    assert isinstance(failure(STREAMED, fs.stream(event)), RefusedError)


def test_a_content_filter_with_400_is_a_refusal() -> None:
    """Azure's filter answers 400."""
    assert isinstance(failure(PLAIN, fs.response(400, told("Filtered", code="content_filter"))), RefusedError)


@pytest.mark.parametrize(
    "usage",
    [
        "null",
        "{}",
        '"many"',
        '{"prompt_tokens": NaN, "completion_tokens": 5}',
        '{"prompt_tokens": 12, "completion_tokens": Infinity}',
        '{"prompt_tokens": -1, "completion_tokens": 5}',
        '{"prompt_tokens": 12, "completion_tokens": 1e300}',
        '{"prompt_tokens": true, "completion_tokens": 5}',
    ],
)
def test_usage_that_is_none_costs_the_upper_bound(usage: str) -> None:
    """Missing, NaN or negative usage: the answer counts, at the prompt's estimate and all of max_tokens, flagged."""
    choice = '{"message": {"content": "ok"}, "finish_reason": "stop"}'
    assert ask(PLAIN, fs.response(200, f'{{"choices": [{choice}], "usage": {usage}}}')).reply.usage == Usage(
        1, 32, 0, True
    )


def test_a_stream_without_usage_costs_the_upper_bound() -> None:
    """The same for a server that does not count what it streams."""
    assert ask(STREAMED, fs.stream(fs.chunk("ok", "stop"))).reply.usage == Usage(1, 32, 0, True)


@pytest.mark.parametrize("moment", range(12))
def test_a_cancelled_call_is_cancelled(moment: int) -> None:
    """However a cancellation meets the bytes of a stream, the task ends cancelled."""

    async def main() -> bool:
        async with fs.FaultServer(fs.oversized(declared=False, streamed=True)) as server:
            transport = HttpTransport()
            model = OpenAIModel(server.url, transport=transport)
            task = asyncio.create_task(model.complete(replace(STREAMED, timeout=30)))
            await asyncio.sleep(0.002 * moment)
            task.cancel()
            (found,) = await asyncio.gather(task, return_exceptions=True)
            await transport.aclose()
            return isinstance(found, (asyncio.CancelledError, MalformedError))

    assert asyncio.run(main())
