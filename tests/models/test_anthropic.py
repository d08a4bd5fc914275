"""Anthropic's messages API: what is sent and what is made of good answers, and which key goes where."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.base.endpoints import EndpointConfig
from core.base.errors import (
    RefusedError,
    UnknownError,
)
from core.base.records import Message, ModelReply, ModelRequest, Usage
from core.base.settings import load_settings
from core.cli.checks import Check, endpoints
from core.connections import Connections, PracticeServers
from core.models import AnthropicModel, HttpTransport, Prices, open_model
from tests.models.asking import PLAIN, STREAMED
from tests.models.asking_anthropic import (
    BOTH,
    KEY,
    STOP,
    answers,
    ask,
    delta,
    end,
    failure,
    message,
    of,
    run,
    start,
    streamed,
    whole,
)
from tests.support import fault_server as fs


def test_a_call_sends_what_the_request_says() -> None:
    """The system text stands apart, neighbours of one role are joined, and JSON is left to the prompt."""
    turns = (("system", "Be brief."), ("user", "안녕"), ("user", "☕"), ("assistant", "{"), ("system", "Be kind."))
    messages = tuple(Message(*turn) for turn in turns)
    request = ModelRequest("claude-haiku-4-5", messages, 32, temperature=1.5, json=True, stop=("END",))
    _, sent = ask(request, whole())
    assert sent.line == "POST /v1/messages HTTP/1.1"
    assert (sent.headers["x-api-key"], sent.headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert "authorization" not in sent.headers
    assert sent.json == {
        "model": "claude-haiku-4-5",
        "max_tokens": 32,
        "system": "Be brief.\n\nBe kind.",
        "messages": [{"role": "user", "content": "안녕\n\n☕"}, {"role": "assistant", "content": "{"}],
        "temperature": 1.0,
        "stop_sequences": ["END"],
    }


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("claude-3-5-haiku-latest", True),
        ("claude-sonnet-4-20250514", True),
        ("claude-opus-4-6", True),
        ("claude-haiku-4-5-20251001", True),
        ("other-model", True),
        ("claude-opus-4-7", False),
        ("claude-sonnet-5", False),
        ("claude-new-one", False),
    ],
)
def test_only_models_that_take_a_temperature_get_one(model: str, sent: bool) -> None:
    """Newer Claude models answer 400 to any temperature."""
    _, received = ask(replace(PLAIN, model=model), whole())
    assert ("temperature" in received.json) is sent


def test_instructions_alone_are_a_message() -> None:
    """A request with a system text only is still a call."""
    _, sent = ask(replace(PLAIN, messages=(Message("system", "Sing."),)), whole())
    assert sent.json["messages"] == [{"role": "user", "content": "Sing."}]
    assert "system" not in sent.json


def test_half_a_surrogate_pair_can_be_asked_about() -> None:
    """A broken character is replaced, in the system text too."""
    messages = (Message("system", "x\ud83d"), Message("user", "a\ud83db"))
    _, sent = ask(replace(PLAIN, messages=messages), whole())
    assert (sent.json["system"], sent.json["messages"][0]["content"]) == ("x?", "a?b")


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/", "/v1/messages", "/v1/models/"])
def test_a_pasted_url_is_understood(ending: str) -> None:
    """The base URL may end with /v1 or with the path of a call."""
    assert ask(PLAIN, whole(), ending=ending)[1].line == "POST /v1/messages HTTP/1.1"


def test_a_path_before_the_api_is_kept() -> None:
    """A gateway may have the API under a path of its own."""
    assert ask(PLAIN, whole(), ending="/anthropic/v1")[1].line == "POST /anthropic/v1/messages HTTP/1.1"


@BOTH
def test_an_answer_becomes_a_reply(request_: ModelRequest) -> None:
    """Text without thoughts, usage with cached tokens among those read, finish, and the server's name of the model."""
    used = {"cache_read_input_tokens": 4, "cache_creation_input_tokens": 2}
    reply, _ = ask(request_, of(request_, answers(**used)))
    assert replace(reply, ttft=None, gap=None) == ModelReply(
        "All good. [1]", Usage(18, 5, 4, stored_tokens=2), "stop", None, "claude-x"
    )
    assert (reply.ttft is not None) is request_.stream


def test_a_stream_is_put_together() -> None:
    """Thoughts, pings, signatures and events of no known kind are passed over; what is empty counts as nothing."""
    events: list[dict[str, Any] | str] = [
        start(cache_read_input_tokens=None),
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        delta("Hm.", "thinking"),
        delta("abc", "signature"),
        {"type": "content_block_stop", "index": 0},
        {"type": "ping"},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        delta("All "),
        {"type": "something_new", "delta": "x"},
        delta("good."),
        end(),
        STOP,
    ]
    reply, sent = ask(STREAMED, streamed(*events))
    assert (reply.text, reply.usage) == ("All good.", Usage(12, 5))
    assert sent.json["stream"] is True


def test_the_first_token_is_told_while_the_rest_is_awaited() -> None:
    """ttft is the time to the first piece, not to the end of the answer."""
    gap = asyncio.Event()

    async def use(model: AnthropicModel, _: fs.FaultServer) -> ModelReply:
        asyncio.get_running_loop().call_later(0.1, gap.set)
        return await model.complete(STREAMED)

    reply = run(use, fs.stream(delta("First"), delta(" last"), end(), STOP, done=False, gap=gap))
    assert reply.text == "First last"
    assert reply.ttft is not None
    assert reply.ttft < 0.08


@BOTH
@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
    ],
)
def test_why_it_stopped_is_kept(request_: ModelRequest, reason: str, finish: str) -> None:
    """A cut answer says so."""
    assert ask(request_, of(request_, answers(reason)))[0].finish == finish


@BOTH
def test_a_refusal_is_one(request_: ModelRequest) -> None:
    """stop_reason refusal is no answer, whatever was written before it."""
    assert isinstance(failure(request_, of(request_, answers("refusal"))), RefusedError)


@BOTH
@pytest.mark.parametrize("used", [{"input_tokens": float("nan")}, {"input_tokens": -1}, {"output_tokens": "many"}])
def test_usage_that_is_none_costs_the_upper_bound(request_: ModelRequest, used: dict[str, Any]) -> None:
    """Missing and nonsensical counts are charged at the most they can be, and flagged."""
    assert ask(request_, of(request_, answers(**used)))[0].usage == Usage(1, 32, 0, estimated=True)


@BOTH
def test_an_answer_without_usage_costs_the_upper_bound(request_: ModelRequest) -> None:
    """What a stream says of written tokens at its start is not its end's count."""
    last = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    found = {"whole": whole(usage=None), "streamed": streamed(start(), delta("ok"), last, STOP)}
    assert ask(request_, of(request_, found))[0].usage.estimated


@BOTH
def test_rate_limit_headers_are_handed_on(request_: ModelRequest) -> None:
    """What the server says of its limits comes with the reply."""
    limits = {"anthropic_ratelimit_requests_remaining": "49", "request_id": "r"}
    reply, _ = ask(request_, fs.response(200, message(), **limits))
    assert reply.quota == {"anthropic-ratelimit-requests-remaining": "49"}


def test_the_listed_models_are_named() -> None:
    """models() gives the ids of GET /v1/models; a short name means the dated one."""

    async def use(model: AnthropicModel, server: fs.FaultServer) -> list[str]:
        offered = await model.models()
        assert server.requests[0].line == "GET /v1/models?limit=1000 HTTP/1.1"
        assert server.requests[0].headers["x-api-key"] == KEY
        names = ("claude-haiku-4-5", "claude-haiku-4-5-20251001", "claude-sonnet-4-0", "claude-3-5-haiku-latest")
        assert all(model.serves(name, offered) for name in names)
        assert not model.serves("claude-haiku-4", offered)
        return offered

    names = ["claude-haiku-4-5-20251001", "claude-sonnet-4-20250514", "claude-3-5-haiku-20241022"]
    body = {"data": [{"type": "model", "id": name} for name in names], "has_more": False}
    assert run(use, fs.response(200, body)) == names


def header_sent(endpoint_of: Callable[[str], EndpointConfig], env_of: Callable[[str], dict[str, str]]) -> str | None:
    async def main() -> str | None:
        async with fs.FaultServer(whole()) as server:
            transport = HttpTransport()
            model = open_model(endpoint_of(server.url), transport=transport, env=env_of(server.url))
            await model.complete(PLAIN)
            await transport.aclose()
            return server.requests[0].headers.get("x-api-key")

    return asyncio.run(main())


def test_the_kind_is_opened_and_its_key_stays_at_home() -> None:
    """ANTHROPIC_API_KEY goes to Anthropic or to ANTHROPIC_BASE_URL, elsewhere only where key_env names it."""
    plain, at = EndpointConfig("a", "anthropic"), lambda url: EndpointConfig("a", "anthropic", url=url)
    key = {"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": "k-0"}
    assert header_sent(lambda _: plain, lambda url: {**key, "ANTHROPIC_BASE_URL": url}) == KEY
    assert header_sent(at, lambda _: key) is None
    assert header_sent(lambda url: replace(at(url), key_env="MY_KEY"), lambda _: {"MY_KEY": "k-9"}) == "k-9"
    model = open_model(plain, transport=HttpTransport(), env=key)
    assert isinstance(model, AnthropicModel)
    assert model.base_url == "https://api.anthropic.com"


def test_its_prices_are_anthropics() -> None:
    """Without a provider of its own the kind is priced under Anthropic's."""
    cost = Prices().cost(EndpointConfig("a", "anthropic"), "claude-haiku-4-5", Usage(1_000_000, 1_000_000))
    assert cost == Decimal(6)


def test_a_run_and_the_doctor_ask_it_for_its_models(tmp_path: Path) -> None:
    """The preflight takes a listed model, by its short name too, refuses another; the doctor names what is there."""
    listed = fs.response(200, {"data": [{"id": "claude-haiku-4-5-20251001"}]})
    config = tmp_path / "brigade.toml"
    config.write_text("", encoding="utf-8")

    async def main() -> list[Check]:
        async with fs.FaultServer(listed, listed, listed) as server:
            env = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": server.url.removesuffix("/v1")}
            settings = load_settings(config=config, env=env, cli={"llm_model": "claude-haiku-4-5"}, dotenv=None)
            async with Connections(settings, env, PracticeServers()) as connections:
                assert await connections.prepare("claude-haiku-4-5") == "claude-haiku-4-5"
                with pytest.raises(UnknownError, match="it serves: claude-haiku-4-5-20251001"):
                    await connections.prepare("claude-nine")
            return await endpoints(settings, env)

    (check,) = [check for check in asyncio.run(main()) if check.name == "endpoint anthropic-env (default)"]
    assert check.state == "ok"
    assert "models: claude-haiku-4-5-20251001" in check.detail
