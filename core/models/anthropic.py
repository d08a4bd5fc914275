"""The client of Anthropic's messages API, and of servers that speak it: one call, one request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from core.base.clock import SYSTEM_CLOCK, Clock
from core.base.errors import ModelError
from core.base.records import ModelReply, ModelRequest
from core.models.addresses import parse_url
from core.models.anthropic_replies import StreamedMessage, parse_message
from core.models.http_model import HttpModel, basic, checked_key
from core.models.redaction import Secret
from core.models.transport import HttpTransport

VERSION = "2023-06-01"
_ENDING = re.compile(r"(?:/v1(?:/(?:messages|models))?)?/*$")
_CLAUDE = re.compile(r"claude-")
# Claude models after 4.6 answer 400 to any temperature.
_TAKES_TEMPERATURE = re.compile(r"claude-(?:instant|2|3|(?:opus|sonnet|haiku)-4(?:-[0-6])?(?:-latest|-\d{8})?$)")


class AnthropicModel(HttpModel):
    """A `Model` over /v1/messages. The base URL may end with /v1; user-info in it becomes basic authentication."""

    def __init__(
        self, base_url: str, *, transport: HttpTransport, api_key: str | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        place = parse_url(base_url)
        base = _ENDING.sub("", place.path)
        super().__init__(
            place,
            base=base,
            calls=f"{base}/v1/messages",
            listing=f"{base}/v1/models?limit=1000",
            headers={"anthropic-version": VERSION},
            secret=("x-api-key", Secret(checked_key(api_key))) if api_key else basic(place),
            transport=transport,
            clock=clock,
        )

    def payload(self, request: ModelRequest) -> dict[str, Any]:
        """The body of a call, before it is encoded. JSON is asked for by the prompt alone: there is no mode for it."""
        system, messages = _split(request)
        payload: dict[str, Any] = {"model": request.model, "max_tokens": request.max_tokens, "messages": messages}
        if system:
            payload["system"] = system
        if _TAKES_TEMPERATURE.match(request.model) or not _CLAUDE.match(request.model):
            payload["temperature"] = min(request.temperature, 1.0)
        if request.stop:
            payload["stop_sequences"] = request.stop
        if request.stream:
            payload["stream"] = True
        return payload

    def serves(self, model: str, offered: list[str]) -> bool:
        """Whether a model is offered, also by its short name: the list has the names with their dates."""
        return is_offered(model, offered)

    def _streamed(self, request: ModelRequest) -> StreamedMessage:
        return StreamedMessage(request, self._clock, self._told)

    def _reply(self, body: bytes, request: ModelRequest) -> ModelReply:
        return parse_message(body, request, self._told)

    def _told(self, status: int, body: bytes) -> ModelError:
        """The error that an event names as its status would."""
        return self._error(status, body, lambda _: None)


def is_offered(model: str, offered: Sequence[str]) -> bool:
    """Whether a model is among names that end in their dates."""
    stem = re.escape(model.removesuffix("-latest").removesuffix("-0"))
    return model in offered or any(re.fullmatch(rf"{stem}-\d{{8}}", name) for name in offered)


def _split(request: ModelRequest) -> tuple[str, list[dict[str, str]]]:
    """The system text, and the rest with neighbours of one role joined, as it has to alternate."""
    system = "\n\n".join(m.content for m in request.messages if m.role == "system")
    rest = [m for m in request.messages if m.role != "system"]
    turns = [
        {"role": role, "content": "\n\n".join(m.content for m in of_one)}
        for role, of_one in groupby(rest, key=lambda m: m.role)
    ]
    # A call needs a message: instructions alone are one.
    return (system, turns) if turns else ("", [{"role": "user", "content": system}])
