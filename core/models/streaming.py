"""A streamed answer, put together as it arrives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from core.base.clock import Clock
from core.base.errors import MalformedError
from core.base.records import ModelReply, ModelRequest
from core.models.replies import (
    build_reply,
    first_choice,
    parse_json,
    parse_usage,
    raise_for_error,
    raise_for_refusal,
    text_of,
)
from core.models.sse import EventLines


class Streamed(ABC):
    """Takes the chunks of an event stream, whatever its protocol; `take` says when the answer is complete."""

    __slots__ = ("_clock", "_events", "_finish", "_first", "_pieces", "_request", "_sent")

    def __init__(self, request: ModelRequest, clock: Clock) -> None:
        self._request = request
        self._clock = clock
        self._sent = clock.monotonic()
        self._events = EventLines()
        self._pieces: list[str] = []
        self._finish: object = None
        self._first: float | None = None

    def take(self, chunk: bytes) -> bool:
        """Add a chunk; True after the stream's last event. A ModelError for what is no answer."""
        return self._add(self._events.feed(chunk))

    def _add(self, events: list[bytes]) -> bool:
        return any(event.strip() == b"[DONE]" or self._event(_object(event)) for event in events)

    def _written(self, text: str, *, begun: object = None) -> None:
        """Add text; the first of it, or what else shows that the model has begun, is the first token."""
        if self._first is None and (text or begun):
            self._first = self._clock.monotonic() - self._sent
        if text:
            self._pieces.append(text)

    @abstractmethod
    def _event(self, data: dict[str, Any]) -> bool | None:
        """Take in an event; True where it is the last."""

    @abstractmethod
    def reply(self) -> ModelReply:
        """The whole answer; MalformedError when the stream ended before it did."""


class StreamedAnswer(Streamed):
    """A stream of chat completion chunks, which ends with [DONE]."""

    __slots__ = ("_refusal", "_seen")

    def __init__(self, request: ModelRequest, clock: Clock) -> None:
        super().__init__(request, clock)
        self._refusal: list[str] = []
        self._seen: dict[str, Any] = {}

    def _event(self, data: dict[str, Any]) -> None:
        raise_for_error(data)
        for key in ("usage", "model"):
            if data.get(key):
                self._seen[key] = data[key]
        if choice := first_choice(data):
            self._choice(choice)

    def _choice(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._delta(delta)
        self._finish = choice.get("finish_reason") or self._finish
        raise_for_refusal(None, self._finish)

    def _delta(self, delta: dict[str, Any]) -> None:
        begun = delta.get("reasoning_content") or delta.get("reasoning")
        self._written(text_of(delta.get("content")), begun=begun)
        if isinstance(delta.get("refusal"), str):
            self._refusal.append(delta["refusal"])

    def reply(self) -> ModelReply:
        """The whole answer; MalformedError when the stream ended before it did."""
        done = self._add(self._events.end())
        raise_for_refusal("".join(self._refusal), self._finish)
        if self._finish is None and not done:
            msg = "The stream ended before the answer did: no finish_reason and no [DONE]."
            raise MalformedError(msg, status=200)
        usage = parse_usage(self._seen.get("usage"), self._request)
        return build_reply(
            "".join(self._pieces), self._finish, self._request, usage, self._seen.get("model"), self._first
        )


def _object(event: bytes) -> dict[str, Any]:
    data = parse_json(event)
    if not isinstance(data, dict):
        msg = "An event of the stream is not a JSON object."
        raise MalformedError(msg, status=200)
    return data
