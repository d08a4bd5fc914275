"""What Anthropic's messages API answers, whole or in events: a reply, or the error it really is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from core.base.clock import Clock
from core.base.errors import MalformedError, ModelError, RefusedError
from core.base.records import ModelReply, ModelRequest, Usage
from core.models.replies import build_reply, malformed, parse_object, raise_for_error, token_count, upper_bound
from core.models.streaming import Streamed

ErrorOf = Callable[[int, bytes], ModelError]

STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def parse_message(body: bytes, request: ModelRequest, error_of: ErrorOf) -> ModelReply:
    """The reply in the body of a call without streaming; a ModelError otherwise."""
    data = parse_object(body)
    raise_for_told(data, error_of)
    content, finish = data.get("content"), data.get("stop_reason")
    if not isinstance(content, list):
        raise malformed("holds no content")
    raise_for_refused(finish)
    text = "".join(map(_text, content))
    return build_reply(text, finish, request, message_usage(data.get("usage"), request), data.get("model"))


def raise_for_told(data: dict[str, Any], error_of: ErrorOf) -> None:
    """The error that a 200 holds, as if it had come with its status; MalformedError for one of no known type."""
    error = data.get("error")
    status = STATUSES.get(str(error.get("type"))) if isinstance(error, dict) else None
    if status:
        raise error_of(status, orjson.dumps(data))
    raise_for_error(data)
    if data.get("type") == "error":
        raise malformed("is an error that says no more")


def raise_for_refused(finish: object) -> None:
    """RefusedError where the model refused."""
    if finish == "refusal":
        msg = "The model refused to answer."
        raise RefusedError(msg, status=200)


def message_usage(usage: object, request: ModelRequest) -> Usage:
    """The tokens the server counted, cached ones among those read; else the upper bound, flagged as estimated."""
    told = usage if isinstance(usage, dict) else {}
    fresh, written = token_count(told.get("input_tokens")), token_count(told.get("output_tokens"))
    cached, stored = (_or_zero(told.get(f"cache_{kind}_input_tokens")) for kind in ("read", "creation"))
    if fresh is None or written is None or cached is None or stored is None:
        return upper_bound(request)
    return Usage(fresh + cached + stored, written, cached, stored_tokens=stored)


class StreamedMessage(Streamed):
    """A stream of message events, which ends with message_stop."""

    __slots__ = ("_error_of", "_model", "_usage")

    def __init__(self, request: ModelRequest, clock: Clock, error_of: ErrorOf) -> None:
        super().__init__(request, clock)
        self._error_of = error_of
        self._model: object = None
        self._usage: dict[str, Any] = {}

    def _event(self, data: dict[str, Any]) -> bool:
        raise_for_told(data, self._error_of)
        match data:
            case {"type": "message_start", "message": dict(message)}:
                self._start(message)
            case {"type": "content_block_start", "content_block": block} | {
                "type": "content_block_delta",
                "delta": block,
            }:
                self._written(_text(block), begun=_thinks(block))
            case {"type": "message_delta"}:
                self._delta(data)
        return data.get("type") == "message_stop"

    def _start(self, message: dict[str, Any]) -> None:
        self._model = message.get("model")
        self._count(message.get("usage"))
        # What is written so far; only the end knows the whole.
        self._usage.pop("output_tokens", None)

    def _delta(self, data: dict[str, Any]) -> None:
        self._count(data.get("usage"))
        delta = data.get("delta")
        if isinstance(delta, dict):
            self._finish = delta.get("stop_reason") or self._finish
        raise_for_refused(self._finish)

    def _count(self, usage: object) -> None:
        if isinstance(usage, dict):
            self._usage |= {name: count for name, count in usage.items() if count is not None}

    def reply(self) -> ModelReply:
        """The whole answer; MalformedError when the stream ended before it did."""
        self._add(self._events.end())
        if self._finish is None:
            msg = "The stream ended before the answer did: no stop_reason."
            raise MalformedError(msg, status=200)
        usage = message_usage(self._usage, self._request)
        return build_reply("".join(self._pieces), self._finish, self._request, usage, self._model, self._first)


def _text(block: object) -> str:
    """The text of a block or of its delta; thoughts are none."""
    match block:
        case {"type": "text" | "text_delta", "text": str(text)}:
            return text
    return ""


def _thinks(block: object) -> bool:
    return isinstance(block, dict) and bool(block.get("thinking"))


def _or_zero(count: object) -> int | None:
    return 0 if count is None else token_count(count)
