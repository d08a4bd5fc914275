"""What is sent to an OpenAI-compatible server and what is made of its good answers, over real HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from core.base.errors import MalformedError
from core.base.records import Message, ModelReply, ModelRequest, Usage
from core.models import OpenAIModel
from tests.models.asking import PLAIN, STREAMED, ask, with_model
from tests.support.fault_server import FaultServer, chunk, completion, good, response, stream

USAGE = {"prompt_tokens": 12, "completion_tokens": 5}


def test_a_call_sends_what_the_request_says() -> None:
    """Model, messages, limits, stop words and JSON mode go out as OpenAI names them, the key as a bearer token."""
    messages = (Message("system", "Be brief."), Message("user", "안녕 ☕"))
    request = ModelRequest("m", messages, max_tokens=32, temperature=0.5, json=True, stop=("END",))
    (sent,) = ask(request, good(), api_key="k-1").requests
    assert sent.line == "POST /v1/chat/completions HTTP/1.1"
    assert sent.headers["authorization"] == "Bearer k-1"
    assert sent.json == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "안녕 ☕"}],
        "max_tokens": 32,
        "temperature": 0.5,
        "stop": ["END"],
        "response_format": {"type": "json_object"},
    }


def test_a_streamed_call_asks_for_its_usage() -> None:
    """Streaming asks the server to count tokens at the end."""
    (sent,) = ask(STREAMED, stream(chunk("ok", "stop"))).requests
    assert sent.json["stream"] is True
    assert sent.json["stream_options"] == {"include_usage": True}


def test_a_whole_answer_becomes_a_reply() -> None:
    """Text, usage with cached tokens, finish and the server's name of the model are taken over."""
    usage = USAGE | {"prompt_tokens_details": {"cached_tokens": 4}}
    assert ask(PLAIN, good(usage=usage)).reply == ModelReply("All good. [1]", Usage(12, 5, 4), "stop", None, "m-1")


def test_a_streamed_answer_becomes_the_same_reply() -> None:
    """The pieces of a stream are put together; the usage comes in an event without choices."""
    events = (chunk("All "), chunk("good. [1]"), chunk(None, "stop"), {"choices": [], "usage": USAGE})
    reply = ask(STREAMED, stream(*events)).reply
    assert replace(reply, ttft=None, gap=None) == ModelReply("All good. [1]", Usage(12, 5), "stop", None, "m-1")
    assert reply.ttft is not None


def test_the_first_token_is_told_while_the_rest_is_awaited() -> None:
    """ttft is the time to the first piece of text, not to the end of the answer."""
    gap = asyncio.Event()

    async def use(model: OpenAIModel, server: FaultServer) -> tuple[ModelReply, float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        loop.call_later(0.08, gap.set)
        return await model.complete(STREAMED), loop.time() - began

    reply, whole = with_model(use, stream(chunk("First"), chunk(" last", "stop"), gap=gap))
    assert reply.text == "First last"
    assert reply.ttft is not None
    assert reply.ttft < 0.06 < whole


@pytest.mark.parametrize("done", [True, False])
def test_a_stream_may_end_with_or_without_done(done: bool) -> None:
    """A finish_reason ends an answer as well as [DONE] does."""
    assert ask(STREAMED, stream(chunk("ok", "stop"), done=done)).reply.text == "ok"


def test_a_server_that_does_not_stream_is_read_whole() -> None:
    """A JSON answer to a streaming call is an answer."""
    reply = ask(STREAMED, good()).reply
    assert (reply.text, reply.ttft) == ("All good. [1]", None)


@pytest.mark.parametrize("told", ["length", "max_tokens"])
def test_a_cut_answer_says_so(told: str) -> None:
    """finish_reason = length is kept as finish = length, streamed or not."""
    body = completion()
    body["choices"][0]["finish_reason"] = told
    assert ask(PLAIN, response(200, body)).reply.finish == "length"
    assert ask(STREAMED, stream(chunk("ok", told))).reply.finish == "length"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<think>Hm.\n\nSo.</think>\n\nGood.", "Good."),
        ("A <think> is kept inside.", "A <think> is kept inside."),
    ],
)
def test_thoughts_before_the_answer_are_left_out(content: str, text: str) -> None:
    """What a local model thinks aloud before its answer is no part of the answer."""
    body = completion()
    body["choices"][0]["message"]["content"] = content
    assert ask(PLAIN, response(200, body)).reply.text == text


def test_text_parts_are_joined() -> None:
    """A content that is a list of text parts is their text."""
    body = completion()
    body["choices"][0]["message"]["content"] = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert ask(PLAIN, response(200, body)).reply.text == "ab"


@pytest.mark.parametrize("request_", [PLAIN, STREAMED], ids=["whole", "streamed"])
def test_rate_limit_headers_are_handed_on(request_: ModelRequest) -> None:
    """What the server says of its limits comes with the reply, by lower-case names; other headers do not."""
    told = {"X_RateLimit_Remaining_Requests": "59", "anthropic_ratelimit_tokens_limit": "1000", "x_request_id": "r"}
    reply = ask(request_, response(200, completion(), **told)).reply
    assert reply.quota == {"x-ratelimit-remaining-requests": "59", "anthropic-ratelimit-tokens-limit": "1000"}


def test_half_a_surrogate_pair_can_be_asked_about() -> None:
    """A review with a broken character is sent with a replacement character's stand-in, not refused."""
    broken = replace(PLAIN, messages=(Message("user", "a\ud83db"),))
    (sent,) = ask(broken, good()).requests
    assert sent.json["messages"][0]["content"] == "a?b"


def test_connections_are_used_again() -> None:
    """Calls one after the other, whole and streamed, share one connection."""

    async def use(model: OpenAIModel, server: FaultServer) -> int:
        for request in (PLAIN, STREAMED, PLAIN, STREAMED):
            await model.complete(request)
            await asyncio.sleep(0.01)
        return server.connections

    faults = (good(), stream(chunk("ok", "stop")), good(), stream(chunk("ok", "stop")))
    assert with_model(use, *faults) == 1


def test_the_listed_models_are_named() -> None:
    """models() gives the ids of GET /models."""

    async def use(model: OpenAIModel, server: FaultServer) -> tuple[list[str], str]:
        return await model.models(), server.requests[0].line

    listed = {"data": [{"id": "a"}, {"id": "b"}, {"no": "id"}]}
    assert with_model(use, response(200, listed)) == (["a", "b"], "GET /v1/models HTTP/1.1")


def test_a_list_that_is_none_is_malformed() -> None:
    """A 200 without a list of models is an error, not an empty list."""

    async def use(model: OpenAIModel, server: FaultServer) -> None:
        with pytest.raises(MalformedError, match="does not list models"):
            await model.models()

    with_model(use, response(200, {"hello": 1}))


@pytest.mark.parametrize("ending", ["", "/", "/chat/completions", "/models/"])
def test_a_pasted_url_is_understood(ending: str) -> None:
    """The base URL may end with a slash or with the path of a call."""

    async def main() -> str:
        async with FaultServer() as server:
            from core.models import HttpTransport

            transport = HttpTransport()
            await OpenAIModel(server.url + ending, transport=transport).complete(PLAIN)
            await transport.aclose()
            return server.requests[0].line

    assert asyncio.run(main()) == "POST /v1/chat/completions HTTP/1.1"


def test_openais_own_host_gets_its_own_words() -> None:
    """OpenAI's API is asked for max_completion_tokens, and its reasoning models for no temperature."""

    async def main() -> tuple[dict[str, object], dict[str, object]]:
        from core.models import HttpTransport

        model = OpenAIModel("https://api.openai.com/v1", transport=HttpTransport())
        return model.payload(replace(PLAIN, model="gpt-4o-mini")), model.payload(replace(PLAIN, model="gpt-5-mini"))

    small, reasoning = asyncio.run(main())
    assert small["max_completion_tokens"] == 32
    assert "max_tokens" not in small
    assert "temperature" in small
    assert "temperature" not in reasoning
