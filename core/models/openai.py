"""The client of an OpenAI-compatible server (vLLM, Ollama, llama.cpp, RunPod, OpenAI): one call, one request."""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import unquote

import orjson
from pyreqwest.http import Url
from pyreqwest.request import RequestBuilder

from core.base.clock import SYSTEM_CLOCK, Clock
from core.base.errors import ConfigError, MalformedError, ModelError
from core.base.records import ModelReply, ModelRequest
from core.models.addresses import origin_of, parse_url
from core.models.exchange import Answer, Exchange
from core.models.redaction import Secret
from core.models.replies import parse_json, parse_reply
from core.models.statuses import error_of_status
from core.models.streaming import StreamedAnswer
from core.models.transport import HttpTransport

LISTING_TIMEOUT_S = 10.0
_REASONING = re.compile(r"(?:o\d|gpt-5)")
_ENDING = re.compile(r"/(?:chat/completions|models)?/*$")


class OpenAIModel:
    """A `Model` over /chat/completions. The transport is shared and stays open when the model closes.

    User-info in the base URL becomes basic authentication and is shown nowhere.
    """

    def __init__(
        self, base_url: str, *, transport: HttpTransport, api_key: str | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        url = parse_url(base_url)
        self._authorization = _authorization(url, api_key)
        base = _ENDING.sub("", f"{url.origin_ascii}{url.path}")
        self.base_url = base
        self._origin = origin_of(url)
        self._calls, self._listing = Url(f"{base}/chat/completions"), Url(f"{base}/models")
        self._transport = transport
        self._clock = clock
        self._strict = self._origin.host == "api.openai.com"

    def __repr__(self) -> str:
        return f"<OpenAIModel {self.base_url}>"

    async def aclose(self) -> None:
        """Nothing of its own is held open."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        """One request, one answer; every failure is a ModelError."""
        try:
            return await self._complete(request)
        except ModelError as error:
            if self._authorization:
                error.args = (self._authorization.hide(str(error)),)
            raise

    async def _complete(self, request: ModelRequest) -> ModelReply:
        body = _encode(self.payload(request))
        streamed = StreamedAnswer(request, self._clock) if request.stream else None
        answer = await self._send("POST", self._calls, body, request.timeout, streamed)
        if answer.streamed and streamed:
            return streamed.reply()
        return parse_reply(answer.body, request)

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """The body of a call, before it is encoded."""
        payload: dict[str, Any] = {"model": request.model, "messages": request.messages}
        # OpenAI's own API knows max_tokens by another name, and its reasoning models take no temperature.
        payload["max_completion_tokens" if self._strict else "max_tokens"] = request.max_tokens
        if not (self._strict and _REASONING.match(request.model)):
            payload["temperature"] = request.temperature
        if request.stop:
            payload["stop"] = request.stop
        if request.json:
            payload["response_format"] = {"type": "json_object"}
        if request.stream:
            payload |= {"stream": True, "stream_options": {"include_usage": True}}
        return payload

    async def models(self) -> list[str]:
        """The names the server lists at /models; a ModelError where it does not."""
        answer = await self._send("GET", self._listing, None, LISTING_TIMEOUT_S, None)
        data = parse_json(answer.body)
        listed = data.get("data") if isinstance(data, dict) else None
        if not isinstance(listed, list):
            msg = f"{self._listing} does not list models."
            raise MalformedError(msg, status=200)
        return [entry["id"] for entry in listed if isinstance(entry, dict) and isinstance(entry.get("id"), str)]

    async def _send(
        self, method: str, url: Url, body: bytes | None, seconds: float, streamed: StreamedAnswer | None
    ) -> Answer:
        client = await self._transport.client(self._origin)
        request = client.request(method, url)
        if self._authorization:
            request = request.header("authorization", self._authorization.reveal(), is_sensitive=True)
        if body is not None:
            request = request.header("content-type", "application/json").body_bytes(body)
        return self._checked(await self._exchange(request, seconds, streamed))

    async def _exchange(self, request: RequestBuilder, seconds: float, streamed: StreamedAnswer | None) -> Answer:
        sink = streamed.take if streamed else None
        if sink:
            # The transport would hold a stream back until it has this many bytes.
            request = request.streamed_read_buffer_limit(0)
        try:
            return await Exchange(self._origin, self._transport.deadlines, seconds, sink).run(request)
        except ModelError as error:
            if not error.sent:
                self._transport.forget(self._origin)
            raise

    def _checked(self, answer: Answer) -> Answer:
        response = answer.response
        if response.status == 200:
            return answer
        raise error_of_status(
            response.status,
            response.get_header,
            answer.body,
            host=self._origin.host,
            now=self._clock.wall(),
            secret=self._authorization,
        )


def _authorization(url: Url, api_key: str | None) -> Secret | None:
    if api_key:
        if not api_key.isascii() or not api_key.isprintable():
            msg = "The API key holds characters that no key has (a line break, perhaps): set its variable again."
            raise ConfigError(msg)
        return Secret(f"Bearer {api_key.strip()}")
    if url.username or url.password:
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
        return Secret(f"Basic {base64.b64encode(pair.encode()).decode()}")
    return None


def _encode(payload: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(payload)
    except orjson.JSONEncodeError:
        # A review may hold half of a surrogate pair, which UTF-8 cannot say.
        clean = [
            {"role": m.role, "content": m.content.encode("utf-8", "replace").decode()} for m in payload["messages"]
        ]
        return orjson.dumps(payload | {"messages": clean})
