"""The client of an OpenAI-compatible server (vLLM, Ollama, llama.cpp, RunPod, OpenAI): one call, one request."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import orjson

from core.base.clock import SYSTEM_CLOCK, Clock
from core.base.errors import ConfigError, MalformedError, ModelError
from core.base.records import ModelReply, ModelRequest
from core.models.addresses import Place, parse_url
from core.models.redaction import Secret
from core.models.replies import parse_json, parse_reply
from core.models.statuses import error_of_status
from core.models.streaming import StreamedAnswer
from core.models.transport import Answer, HttpTransport

LISTING_TIMEOUT_S = 10.0
_REASONING = re.compile(r"(?:o\d|gpt-5)")
_QUOTA = ("x-ratelimit-", "anthropic-ratelimit-")
_HEADERS = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
    "accept-encoding": "identity",
    "user-agent": "brigade",
}
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
        self.base_url = f"{self._origin}{_ENDING.sub('', place.path)}"
        self._calls = _url(f"{self.base_url}/chat/completions")
        # httpx shows no authorization in the repr of its headers.
        self._headers = httpx.Headers(_HEADERS)
        if self._authorization:
            self._headers["authorization"] = self._authorization.reveal()
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
        call = httpx.Request("POST", self._calls, headers=self._headers, content=_encode(self.payload(request)))
        streamed = StreamedAnswer(request, self._clock) if request.stream else None
        answer = await self._send(call, request.timeout, streamed)
        reply = streamed.reply() if answer.streamed and streamed else parse_reply(answer.body, request)
        quota = _quota(answer.headers)
        return replace(reply, quota=quota) if quota else reply

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
        listing = httpx.Request("GET", f"{self.base_url}/models", headers=self._headers)
        answer = await self._send(listing, LISTING_TIMEOUT_S, None)
        data = parse_json(answer.body)
        listed = data.get("data") if isinstance(data, dict) else None
        if not isinstance(listed, list):
            msg = f"{self.base_url}/models does not list models."
            raise MalformedError(msg, status=200)
        return [entry["id"] for entry in listed if isinstance(entry, dict) and isinstance(entry.get("id"), str)]

    async def _send(self, request: httpx.Request, seconds: float, streamed: StreamedAnswer | None) -> Answer:
        answer = await self.transport.send(self._origin, request, seconds, streamed.take if streamed else None)
        if answer.status == 200:
            return answer
        host, now = self._origin.host, self._clock.wall()
        raise error_of_status(
            answer.status, answer.headers.get, answer.body, host=host, now=now, secret=self._authorization
        )


def _url(text: str) -> httpx.URL:
    try:
        return httpx.URL(text)
    except httpx.InvalidURL:
        msg = "A model server's url holds something that no url has: is its host right?"
    raise ConfigError(msg)


def _quota(headers: Mapping[str, str]) -> dict[str, str]:
    """What a server says of its rate limits."""
    return {name: value for name, value in headers.items() if name.startswith(_QUOTA)}


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
