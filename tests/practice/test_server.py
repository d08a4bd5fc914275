"""The practice server over real HTTP, with the client of core.models."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from core.base.endpoints import EndpointConfig
from core.base.errors import (
    BrokenReplyError,
    ContextTooLongError,
    ModelError,
    RateLimitedError,
    RejectedError,
    ServerFaultError,
)
from core.base.records import Message, ModelRequest
from core.models import PRACTICE_PRICES, HttpTransport, OpenAIModel, Prices
from core.models.extractive.model import answer
from core.practice.presets import PRESETS, Preset
from core.practice.server import PracticeServer

PROMPT = """Summarise what guests say of the service.
<data id="9f3c2a1b" kind="evidence" part="service">
[1] (r3 ★4) The waiter forgot our order twice and never came back to apologise.
[2] (r7) Our waitress was friendly and brought the children crayons right away.
</data id="9f3c2a1b">"""
REQUEST = ModelRequest("practice-small", (Message("user", PROMPT),), max_tokens=160, timeout=5.0)
BATCH = replace(REQUEST, json=True)
ZERO = PRESETS["zero"]
THOROUGH = replace(ZERO, answers="extractive")
QUICK = Preset("quick", "", step_s=0.0005, step_per_seat_s=0.00001, prefill_s=0.001, seats=8)


def serving(preset: Preset, use: Callable[[OpenAIModel, PracticeServer], Awaitable[Any]]) -> Any:
    """Run `use` with a client of a practice server in this loop."""

    async def main() -> Any:
        practice = PracticeServer(preset)
        server = await practice.listen("127.0.0.1", 0)
        transport = HttpTransport()
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        try:
            return await use(OpenAIModel(url, transport=transport), practice)
        finally:
            await transport.aclose()
            practice.close()
            server.close()

    return asyncio.run(main())


async def raw(model: OpenAIModel, text: str) -> tuple[str, dict[str, str], bytes]:
    """Send bytes, read one answer: status line, headers, body."""
    port = int(model.base_url.rpartition(":")[2].partition("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text.encode())
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    writer.close()
    return status, headers, body


async def get(model: OpenAIModel, path: str) -> Any:
    """A page, as JSON where it is JSON."""
    _, headers, body = await raw(model, f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
    return json.loads(body) if "json" in headers["content-type"] else body.decode()


@pytest.mark.parametrize("preset", [THOROUGH, QUICK, replace(PRESETS["fixed"], latency_s=0.02)], ids=lambda p: p.law)
@pytest.mark.parametrize("stream", [False, True])
def test_answers_are_the_extractive_models(preset: Preset, stream: bool) -> None:
    """Whatever the speed, whole or streamed: the embedded model's text and its token counts."""
    expected = answer(REQUEST)

    async def use(model: OpenAIModel, _: PracticeServer) -> None:
        reply = await model.complete(replace(REQUEST, stream=stream))
        assert reply.text == expected.text
        assert (reply.usage.input_tokens, reply.usage.output_tokens) == (
            expected.usage.input_tokens,
            expected.usage.output_tokens,
        )
        assert not reply.usage.estimated
        assert (reply.ttft is not None) == stream

    serving(preset, use)


def test_json_mode_answers_json() -> None:
    """A batch is answered with one entry per part."""

    async def use(model: OpenAIModel, _: PracticeServer) -> None:
        found = json.loads((await model.complete(BATCH)).text)
        assert [entry["id"] for entry in found["results"]] == ["service"]

    serving(ZERO, use)


def test_a_short_limit_cuts() -> None:
    """max_tokens is obeyed and told of."""

    async def use(model: OpenAIModel, _: PracticeServer) -> None:
        reply = await model.complete(replace(REQUEST, max_tokens=4))
        assert reply.usage.output_tokens <= 4
        assert reply.finish == "length"

    serving(ZERO, use)


def test_everything_says_that_it_is_simulated() -> None:
    """A header on each answer, the fingerprint of a completion, and /health."""

    async def use(model: OpenAIModel, _: PracticeServer) -> None:
        body = json.dumps({"model": "practice-small", "messages": [{"role": "user", "content": "Hello."}]})
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        _, headers, answered = await raw(model, head + body)
        assert headers["x-brigade-practice"] == "simulated"
        assert json.loads(answered)["system_fingerprint"] == "practice: simulated speed"
        health = await get(model, "/health")
        assert health["simulated"] is True
        assert health["preset"] == "zero"

    serving(ZERO, use)


def test_its_models_have_a_price() -> None:
    """Two models, each with a declared price that Prices knows too."""

    async def use(model: OpenAIModel, _: PracticeServer) -> None:
        assert await model.models() == list(PRACTICE_PRICES)
        reply = await model.complete(REQUEST)
        assert Prices().cost(EndpointConfig("p", "practice"), "practice-small", reply.usage)

    serving(ZERO, use)


def test_the_log_agrees_with_the_client() -> None:
    """Calls, tokens and cost in /practice/log are the sums of what the client got, to the cent."""

    async def use(model: OpenAIModel, _: PracticeServer) -> None:
        requests = [replace(REQUEST, stream=i % 2 == 0, model=list(PRACTICE_PRICES)[i % 2]) for i in range(10)]
        replies = await asyncio.gather(*(model.complete(request) for request in requests))
        log = await get(model, "/practice/log?entries=100")
        assert (log["calls"], log["ok"], log["in_flight"]) == (10, 10, 0)
        assert log["input_tokens"] == sum(reply.usage.input_tokens for reply in replies)
        assert log["output_tokens"] == sum(reply.usage.output_tokens for reply in replies)
        cost = sum(Prices().cost(EndpointConfig("p", "practice"), r.model or "", r.usage) or 0 for r in replies)
        assert log["cost_usd"] == str(cost)
        assert len(log["entries"]) == 10

    serving(QUICK, use)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (replace(REQUEST, model="gpt-4"), RejectedError),
        (replace(REQUEST, messages=()), ModelError),
        (replace(REQUEST, messages=(Message("user", "x" * 200_000),)), ContextTooLongError),
        (replace(REQUEST, max_tokens=0), None),
        (replace(REQUEST, max_tokens=-5), ModelError),
    ],
)
def test_wrong_requests_are_refused_as_openai_would(request_: ModelRequest, error: type[ModelError] | None) -> None:
    """An unknown model, no messages, a prompt that is too long, a bad limit."""

    async def use(model: OpenAIModel, practice: PracticeServer) -> None:
        if error is None:
            await model.complete(request_)
            return
        with pytest.raises(error):
            await model.complete(request_)
        assert practice.log.summary()["refused"] == 1

    serving(ZERO, use)


def test_the_rate_limit_rejects_and_tells_when() -> None:
    """Beyond RPM: 429 with Retry-After, logged as rejected, costing nothing."""

    async def use(model: OpenAIModel, practice: PracticeServer) -> None:
        found = await asyncio.gather(*(model.complete(REQUEST) for _ in range(6)), return_exceptions=True)
        rejected = [e for e in found if isinstance(e, RateLimitedError)]
        assert len(rejected) == 4
        assert all(e.retry_after and 0.5 < e.retry_after < 1.1 for e in rejected)
        assert practice.log.summary()["rejected"] == 4

    serving(replace(ZERO, rpm=60, burst_s=2.0), use)


def test_a_full_queue_rejects() -> None:
    """With a queue of two behind one seat, the fourth is rejected."""

    async def use(model: OpenAIModel, _: PracticeServer) -> None:
        found = await asyncio.gather(*(model.complete(REQUEST) for _ in range(5)), return_exceptions=True)
        assert sum(isinstance(e, RateLimitedError) for e in found) == 2

    serving(replace(QUICK, seats=1, queue=2, prefill_s=0.02), use)


def test_stray_rejections_come_at_their_share() -> None:
    """A share of calls is rejected without any overload and without a time to wait."""

    async def use(model: OpenAIModel, _: PracticeServer) -> int:
        found = await asyncio.gather(*(model.complete(REQUEST) for _ in range(200)), return_exceptions=True)
        return sum(isinstance(e, RateLimitedError) and e.retry_after is None for e in found)

    assert 20 < serving(replace(ZERO, stray=0.25), use) < 80


def test_a_caller_who_leaves_frees_the_seat() -> None:
    """A client's deadline takes its call out of the simulation; the log calls it aborted."""

    async def use(model: OpenAIModel, practice: PracticeServer) -> None:
        with pytest.raises(BrokenReplyError):
            await model.complete(replace(REQUEST, timeout=0.05))
        for _ in range(100):
            if practice.law.running == 0:
                break
            await asyncio.sleep(0.005)
        assert (practice.law.running, practice.law.next_at) == (0, None)
        assert practice.log.summary()["aborted"] == 1

    serving(replace(QUICK, step_s=10.0), use)


def test_the_metrics_are_vllms() -> None:
    """running, waiting and preemptions by the names that vLLM gives them."""

    async def use(model: OpenAIModel, _: PracticeServer) -> None:
        tasks = [asyncio.create_task(model.complete(REQUEST)) for _ in range(5)]
        while (await get(model, "/health"))["waiting"] < 3:
            await asyncio.sleep(0.002)
        lines = (await get(model, "/metrics")).splitlines()
        values = dict(line.replace('{model_name="practice"}', "").split() for line in lines if not line.startswith("#"))
        assert values["vllm:num_requests_running"] == "2.0"
        assert values["vllm:num_requests_waiting"] == "3.0"
        assert values["vllm:num_preemptions"] == "0.0"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    serving(replace(QUICK, seats=2, step_s=10.0), use)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("GET /nothing HTTP/1.1\r\n\r\n", "404"),
        ("GET /v1/chat/completions HTTP/1.1\r\n\r\n", "405"),
        ("POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 3\r\n\r\n{{{", "400"),
        ("POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 2\r\n\r\n[]", "400"),
        ("POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "411"),
        ("POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n", "413"),
        ("GET /" + "x" * 70_000, "431"),
    ],
)
def test_what_is_no_call_is_answered_and_survived(text: str, status: str) -> None:
    """Bad requests get their status, and the server goes on."""

    async def use(model: OpenAIModel, _: PracticeServer) -> None:
        assert (await raw(model, text))[0].split()[1] == status
        assert (await model.complete(REQUEST)).text

    serving(ZERO, use)


def test_requests_in_one_packet_are_answered_in_order() -> None:
    """Pipelined requests wait for one another."""

    async def use(model: OpenAIModel, _: PracticeServer) -> bytes:
        port = int(model.base_url.rpartition(":")[2].partition("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = json.dumps({"model": "practice-small", "messages": [{"role": "user", "content": "Hello."}]})
        call = f"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {len(body)}\r\n\r\n{body}"
        writer.write((call + "GET /health HTTP/1.1\r\nconnection: close\r\n\r\n").encode())
        whole = await reader.read()
        writer.close()
        return whole

    whole = serving(QUICK, use)
    assert 0 < whole.index(b"chat.completion") < whole.index(b'"status":"ok"')


RESULTS = """<data id="1a" kind="results">
[price] (nothing found)
[service] Friendly, but slow. [service 1]
</data id="1a">"""


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        (PROMPT, "The waiter forgot our order twice and never came back to apologise. [1]"),
        (RESULTS, "Friendly, but slow. [service 1]"),
        ("Hello there.\nMore.", "Hello there."),
    ],
)
def test_brief_answers_say_one_thing(prompt: str, text: str) -> None:
    """answers="brief" saves the server's CPU in benches: the best evidence, the first result, or the question."""

    async def use(model: OpenAIModel, _: PracticeServer) -> str:
        return (await model.complete(replace(REQUEST, messages=(Message("user", prompt),)))).text

    assert serving(ZERO, use) == text


def test_nothing_here_is_a_server_fault() -> None:
    """Not one call of a busy minute's worth fails."""

    async def use(model: OpenAIModel, practice: PracticeServer) -> None:
        requests = [replace(REQUEST, stream=i % 3 == 0, max_tokens=40 + i) for i in range(120)]
        found = await asyncio.gather(*(model.complete(request) for request in requests), return_exceptions=True)
        assert not [e for e in found if isinstance(e, (ServerFaultError, Exception))]
        assert practice.log.summary()["ok"] == 120
        assert practice.law.running == practice.law.waiting == 0

    serving(replace(QUICK, kv_tokens=900), use)
