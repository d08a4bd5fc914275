"""The client of an OpenAI-compatible server (vLLM, Ollama, llama.cpp, RunPod, OpenAI): one call, one request."""

from __future__ import annotations

import base64
import re
from typing import Any

import orjson

from core.base.clock import SYSTEM_CLOCK, Clock
from core.base.errors import ConfigError, MalformedError, ModelError
from core.base.records import ModelReply, ModelRequest
from core.models.addresses import Place, parse_url
from core.models.link import Answer, Outgoing
from core.models.redaction import Secret
from core.models.replies import parse_json, parse_reply
from core.models.statuses import error_of_status
from core.models.streaming import StreamedAnswer
from core.models.transport import HttpTransport

LISTING_TIMEOUT_S = 10.0
_REASONING = re.compile(r"(?:o\d|gpt-5)")
_LINES = b"content-type: application/json\r\naccept: application/json, text/event-stream\r\nuser-agent: brigade\r\n"
_ENDING = re.compile(r"/(?:chat/completions|models)?/*$")


class OpenAIModel:
    """A `Model` over /chat/completions. The transport is shared and stays open when the model closes.

    User-info in the base URL becomes basic authentication and is shown nowhere.
    """

    def __init__(
        self, base_url: str, *, transport: HttpTransport, api_key: str | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        place = parse_url(base_url)
        self._authorization = _authorization(place, api_key)
        self._origin = place.origin
        self._path = _ENDING.sub("", place.path)
        self.base_url = f"{self._origin}{self._path}"
        self.transport = transport
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
        outgoing = self._outgoing("POST", "/chat/completions", _encode(self.payload(request)))
        streamed = StreamedAnswer(request, self._clock) if request.stream else None
        answer = await self._send(outgoing, request.timeout, streamed)
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
        answer = await self._send(self._outgoing("GET", "/models"), LISTING_TIMEOUT_S, None)
        data = parse_json(answer.body)
        listed = data.get("data") if isinstance(data, dict) else None
        if not isinstance(listed, list):
            msg = f"{self.base_url}/models does not list models."
            raise MalformedError(msg, status=200)
        return [entry["id"] for entry in listed if isinstance(entry, dict) and isinstance(entry.get("id"), str)]

    def _outgoing(self, method: str, path: str, body: bytes = b"") -> Outgoing:
        key = b"authorization: %b\r\n" % self._authorization.reveal().encode() if self._authorization else b""
        return Outgoing(method, f"{self._path}{path}", key + _LINES, body)

    async def _send(self, request: Outgoing, seconds: float, streamed: StreamedAnswer | None) -> Answer:
        answer = await self.transport.send(self._origin, request, seconds, streamed.take if streamed else None)
        if answer.status == 200:
            return answer
        host, now = self._origin.host, self._clock.wall()
        raise error_of_status(
            answer.status, answer.headers.get, answer.body, host=host, now=now, secret=self._authorization
        )


def _authorization(place: Place, api_key: str | None) -> Secret | None:
    if api_key:
        if not api_key.isascii() or not api_key.isprintable():
            msg = "The API key holds characters that no key has (a line break, perhaps): set its variable again."
            raise ConfigError(msg)
        return Secret(f"Bearer {api_key.strip()}")
    if place.user:
        return Secret(f"Basic {base64.b64encode(':'.join(place.user).encode()).decode()}")
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
