"""The client of an OpenAI-compatible server (vLLM, Ollama, llama.cpp, RunPod, OpenAI): one call, one request."""

from __future__ import annotations

import re
from typing import Any

from core.base.clock import SYSTEM_CLOCK, Clock
from core.base.records import ModelReply, ModelRequest
from core.models.addresses import Place, parse_url
from core.models.http_model import HttpModel, basic, checked_key
from core.models.redaction import Secret
from core.models.replies import parse_reply
from core.models.streaming import StreamedAnswer
from core.models.transport import HttpTransport

_REASONING = re.compile(r"(?:o\d|gpt-5)")
_ENDING = re.compile(r"/(?:chat/completions|models)?/*$")


class OpenAIModel(HttpModel):
    """A `Model` over /chat/completions.

    User-info in the base URL becomes basic authentication and is shown nowhere.
    """

    def __init__(
        self, base_url: str, *, transport: HttpTransport, api_key: str | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        place = parse_url(base_url)
        base = _ENDING.sub("", place.path)
        super().__init__(
            place,
            base=base,
            calls=f"{base}/chat/completions",
            listing=f"{base}/models",
            headers={},
            secret=_authorization(place, api_key),
            transport=transport,
            clock=clock,
        )
        self._strict = self._origin.host == "api.openai.com"

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

    def _streamed(self, request: ModelRequest) -> StreamedAnswer:
        return StreamedAnswer(request, self._clock)

    def _reply(self, body: bytes, request: ModelRequest) -> ModelReply:
        return parse_reply(body, request)


def _authorization(place: Place, api_key: str | None) -> tuple[str, Secret] | None:
    return ("authorization", Secret(f"Bearer {checked_key(api_key)}")) if api_key else basic(place)
