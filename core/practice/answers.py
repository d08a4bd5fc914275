"""From a request's body to what the practice models say: real answers, by the embedded extractive model."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from core.base.records import Message, ModelReply, ModelRequest, Usage
from core.models.extractive.model import answer as extract
from core.models.tokens import estimate_tokens
from core.practice.presets import Preset

_EVIDENCE = re.compile(r'kind="evidence"[^\n]*\n\[1\] \(r\d+[^)]*\) ([^\n]+)')
_RESULT = re.compile(r'kind="results"[^\n]*\n(?:\[[^\]\n]+\] \(nothing found\)\n)*\[[^\]\n]+\] ([^\n]+)')
BRIEF_CHARS = 200
CACHED = 2048
LARGEST_CACHED = 16_384


class BadRequest(Exception):  # noqa: N818 - becomes an HTTP answer
    """A request that cannot be answered; the status and the body of the answer."""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(message, code, param)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request understood, and what will be answered."""

    model: str
    stream: bool
    with_usage: bool
    reply: ModelReply


class Answers:
    """Reads requests and answers them; the last few thousand answers are kept, since benches repeat themselves."""

    def __init__(self, preset: Preset) -> None:
        self._preset = preset
        self._kept: OrderedDict[bytes, Asked] = OrderedDict()

    def ask(self, body: bytes) -> Asked:
        """Understand and answer; BadRequest says what is wrong as OpenAI would."""
        if kept := self._kept.get(body):
            return kept
        asked = self._read(body)
        if len(body) <= LARGEST_CACHED:
            self._kept[body] = asked
            if len(self._kept) > CACHED:
                self._kept.popitem(last=False)
        return asked

    def _read(self, body: bytes) -> Asked:
        data = _object(body)
        request = _request(data)
        if request.model not in self._preset.prices:
            known = ", ".join(self._preset.prices)
            raise BadRequest(404, "model_not_found", f"The model {request.model!r} does not exist; there are {known}.")
        reply = self._answer(request)
        whole = reply.usage.input_tokens + request.max_tokens
        if whole > min(self._preset.context, self._preset.kv_tokens or self._preset.context):
            raise BadRequest(
                400,
                "context_length_exceeded",
                f"This model's maximum context length is {self._preset.context} tokens; {whole} were asked for.",
                "messages",
            )
        options = data.get("stream_options")
        with_usage = isinstance(options, Mapping) and options.get("include_usage") is True
        return Asked(request.model, request.stream, with_usage, reply)

    def _answer(self, request: ModelRequest) -> ModelReply:
        brief = _brief(request) if self._preset.answers == "brief" and not request.json else None
        return brief or extract(request)


def _brief(request: ModelRequest) -> ModelReply | None:
    """The best evidence, cited, or the first result, or the question itself; None where that exceeds max_tokens."""
    prompt = "\n".join(message.content for message in request.messages)
    if found := _EVIDENCE.search(prompt):
        text = f"{found[1]} [1]"
    else:
        found = _RESULT.search(prompt)
        text = found[1] if found else request.messages[-1].content.strip().partition("\n")[0][:BRIEF_CHARS]
    tokens = estimate_tokens(text)
    if not text or tokens > request.max_tokens:
        return None
    return ModelReply(text, Usage(estimate_tokens(prompt), tokens, estimated=True))


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise BadRequest(400, "invalid_json", f"The body is not JSON: {exc}.") from exc
    if not isinstance(data, dict):
        raise BadRequest(400, "invalid_type", "The body is not a JSON object.")
    return data


def _request(data: dict[str, Any]) -> ModelRequest:
    messages = data.get("messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequest(400, "missing_required_parameter", "messages is missing or empty.", "messages")
    limit = data.get("max_completion_tokens") or data.get("max_tokens") or 256
    if not isinstance(limit, int) or limit < 1:
        raise BadRequest(400, "invalid_type", "max_tokens must be a positive integer.", "max_tokens")
    form = data.get("response_format")
    return ModelRequest(
        model=str(data.get("model") or ""),
        messages=tuple(_message(message) for message in messages),
        max_tokens=limit,
        stream=data.get("stream") is True,
        json=isinstance(form, dict) and form.get("type") == "json_object",
    )


def _message(message: object) -> Message:
    if not isinstance(message, dict) or not isinstance(message.get("content"), str):
        raise BadRequest(400, "invalid_type", "Each message must have a role and a text as content.", "messages")
    return Message(str(message.get("role") or "user"), message["content"])


def error_body(message: str, code: str, param: str | None = None, kind: str = "invalid_request_error") -> bytes:
    """An error as OpenAI writes it."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})
