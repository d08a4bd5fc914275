"""A streamed answer, put together as it arrives."""

from __future__ import annotations

from typing import Any

from core.base.clock import Clock
from core.base.errors import MalformedError
from core.base.records import ModelReply, ModelRequest
from core.models.replies import build_reply, first_choice, parse_json, raise_for_error, raise_for_refusal, text_of
from core.models.sse import EventLines


class StreamedAnswer:
    """Takes the chunks of an event stream; `take` says when the answer is complete."""

    __slots__ = ("_clock", "_events", "_finish", "_first", "_pieces", "_refusal", "_request", "_seen", "_sent")

    def __init__(self, request: ModelRequest, clock: Clock) -> None:
        self._request = request
        self._clock = clock
        self._sent = clock.monotonic()
        self._events = EventLines()
        self._pieces: list[str] = []
        self._refusal: list[str] = []
        self._seen: dict[str, Any] = {}
        self._finish: object = None
        self._first: float | None = None

    def take(self, chunk: bytes) -> bool:
        """Add a chunk; True after [DONE]. Malformed- or RefusedError for what is no answer."""
        return self._add(self._events.feed(chunk))

    def _add(self, events: list[bytes]) -> bool:
        for event in events:
            if event.strip() == b"[DONE]":
                return True
            self._event(event)
        return False

    def _event(self, event: bytes) -> None:
        data = parse_json(event)
        if not isinstance(data, dict):
            msg = "An event of the stream is not a JSON object."
            raise MalformedError(msg, status=200)
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
        text = text_of(delta.get("content"))
        if self._first is None and (text or delta.get("reasoning_content") or delta.get("reasoning")):
            self._first = self._clock.monotonic() - self._sent
        if text:
            self._pieces.append(text)
        if isinstance(delta.get("refusal"), str):
            self._refusal.append(delta["refusal"])

    def reply(self) -> ModelReply:
        """The whole answer; MalformedError when the stream ended before it did."""
        done = self._add(self._events.end())
        raise_for_refusal("".join(self._refusal), self._finish)
        if self._finish is None and not done:
            msg = "The stream ended before the answer did: no finish_reason and no [DONE]."
            raise MalformedError(msg, status=200)
        return build_reply("".join(self._pieces), self._finish, self._seen, self._request, self._first)
