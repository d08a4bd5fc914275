"""What the clients of model servers share: a call is one request, a key is shown nowhere, failures are ModelErrors."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx
import orjson

from core.base.clock import SYSTEM_CLOCK, Clock
from core.base.errors import ConfigError, MalformedError, ModelError
from core.base.records import Message, ModelReply, ModelRequest
from core.models.addresses import Place
from core.models.redaction import Secret
from core.models.replies import parse_json
from core.models.retry_after import Header
from core.models.statuses import error_of_status
from core.models.streaming import Streamed
from core.models.transport import Answer, HttpTransport

LISTING_TIMEOUT_S = 10.0
HEADERS = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
    "accept-encoding": "identity",
    "user-agent": "brigade",
}
_QUOTA = ("x-ratelimit-", "anthropic-ratelimit-")


class SilentHeaders(httpx.Headers):
    """Headers that show no value: httpx hides an authorization in its repr, but no x-api-key."""

    def __repr__(self) -> str:
        return f"<headers {', '.join(self)}>"


class HttpModel(ABC):
    """A `Model` over HTTP; a subclass knows the protocol. The transport is shared and stays open when it closes."""

    def __init__(
        self,
        place: Place,
        *,
        base: str,
        calls: str,
        listing: str,
        headers: Mapping[str, str],
        secret: tuple[str, Secret] | None,
        transport: HttpTransport,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._origin = place.origin
        self.base_url = f"{self._origin}{base}"
        self._calls = _url(f"{self._origin}{calls}")
        self._listing = _url(f"{self._origin}{listing}")
        self._headers = SilentHeaders(HEADERS | dict(headers))
        self._secret = secret[1] if secret else None
        if secret:
            self._headers[secret[0]] = secret[1].reveal()
        self.transport = transport
        self._clock = clock

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url}>"

    async def aclose(self) -> None:  # noqa: B027 - part of every Model
        """Nothing of its own is held open."""

    @abstractmethod
    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """The body of a call, before it is encoded."""

    @abstractmethod
    def _streamed(self, request: ModelRequest) -> Streamed:
        """What takes the answer of a streamed call."""

    @abstractmethod
    def _reply(self, body: bytes, request: ModelRequest) -> ModelReply:
        """The reply in the body of a call without streaming; a ModelError where there is none."""

    def serves(self, model: str, offered: list[str]) -> bool:
        """Whether a model is among those that `models` named."""
        return model in offered

    async def complete(self, request: ModelRequest) -> ModelReply:
        """One request, one answer; every failure is a ModelError."""
        try:
            return await self._complete(request)
        except ModelError as error:
            if self._secret:
                error.args = (self._secret.hide(str(error)),)
            raise

    async def _complete(self, request: ModelRequest) -> ModelReply:
        call = self._request("POST", self._calls, _encode(self.payload(request)))
        streamed = self._streamed(request) if request.stream else None
        answer = await self._send(call, request.timeout, streamed, request.first_byte, request.idle)
        quota = _quota(answer.headers)
        if answer.streamed and streamed:
            return replace(streamed.reply(), quota=quota, gap=answer.gap)
        reply = self._reply(answer.body, request)
        return replace(reply, quota=quota) if quota else reply

    async def models(self) -> list[str]:
        """The names the server lists; a ModelError where it does not."""
        answer = await self._send(self._request("GET", self._listing), LISTING_TIMEOUT_S, None)
        data = parse_json(answer.body)
        listed = data.get("data") if isinstance(data, dict) else None
        if not isinstance(listed, list):
            msg = f"{self._origin}{self._listing.path} does not list models."
            raise MalformedError(msg, status=200)
        return [entry["id"] for entry in listed if isinstance(entry, dict) and isinstance(entry.get("id"), str)]

    def _request(self, method: str, url: httpx.URL, content: bytes | None = None) -> httpx.Request:
        request = httpx.Request(method, url, headers=self._headers, content=content)
        request.headers = SilentHeaders(request.headers)
        return request

    async def _send(
        self,
        request: httpx.Request,
        seconds: float,
        streamed: Streamed | None,
        first_byte: float | None = None,
        idle: float | None = None,
    ) -> Answer:
        sink = streamed.take if streamed else None
        answer = await self.transport.send(self._origin, request, seconds, sink, first_byte=first_byte, idle=idle)
        if answer.status == 200:
            return answer
        raise self._error(answer.status, answer.body, answer.headers.get)

    def _error(self, status: int, body: bytes, header: Header) -> ModelError:
        host, now = self._origin.host, self._clock.wall()
        return error_of_status(status, header, body, host=host, now=now, secret=self._secret)


def checked_key(api_key: str) -> str:
    """The key without blanks around it; ConfigError, which does not show it, for what can be none."""
    if not api_key.isascii() or not api_key.isprintable():
        msg = "The API key holds characters that no key has (a line break, perhaps): set its variable again."
        raise ConfigError(msg)
    return api_key.strip()


def basic(place: Place) -> tuple[str, Secret] | None:
    """The header for the user-info of a URL."""
    if not place.user:
        return None
    return "authorization", Secret(f"Basic {base64.b64encode(':'.join(place.user).encode()).decode()}")


def _url(text: str) -> httpx.URL:
    try:
        return httpx.URL(text)
    except httpx.InvalidURL:
        msg = "A model server's url holds something that no url has: is its host right?"
    raise ConfigError(msg)


def _quota(headers: Mapping[str, str]) -> dict[str, str]:
    """What a server says of its rate limits."""
    return {name: value for name, value in headers.items() if name.startswith(_QUOTA)}


def _encode(payload: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(payload)
    except orjson.JSONEncodeError:
        # A review may hold half of a surrogate pair, which UTF-8 cannot say.
        return orjson.dumps(_sayable(payload))


def _sayable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Message):
        return {"role": value.role, "content": _sayable(value.content)}
    if isinstance(value, dict):
        return {key: _sayable(inner) for key, inner in value.items()}
    return [_sayable(inner) for inner in value] if isinstance(value, list | tuple) else value
