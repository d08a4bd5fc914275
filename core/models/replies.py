"""What the body of a 200 says: a reply, or the error it really is. An answer is only an answer when it parses."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import orjson

from core.base.errors import MalformedError, RefusedError
from core.base.records import ModelReply, ModelRequest, Usage
from core.models.redaction import redact
from core.models.tokens import estimate_tokens

MOST_TOKENS = 100_000_000
_CUT = frozenset({"length", "max_tokens", "max_output_tokens", "model_context_window_exceeded"})


def parse_json(body: bytes) -> Any:
    """The body as JSON; NaN and Infinity, which are not JSON, are read as None. MalformedError otherwise.

    The decoder's own error holds the whole body: it is not chained.
    """
    for read in (orjson.loads, _leniently):
        with suppress(ValueError, RecursionError):
            return read(body)
    msg = f"The answer is not JSON: it begins with {redact(body[:2400].decode('utf-8', 'replace'))!r}."
    raise MalformedError(msg, status=200)


def _leniently(body: bytes) -> Any:
    return json.loads(body, parse_constant=lambda _: None)


def parse_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object; MalformedError otherwise."""
    data = parse_json(body)
    if not isinstance(data, dict):
        raise malformed("is not a JSON object")
    return data


def parse_reply(body: bytes, request: ModelRequest) -> ModelReply:
    """The reply in the body of a call without streaming; Malformed- or RefusedError."""
    data = parse_object(body)
    raise_for_error(data)
    choice = first_choice(data)
    message = choice.get("message") if choice else None
    if not choice or not isinstance(message, dict):
        raise malformed("holds no choices")
    raise_for_refusal(message.get("refusal"), choice.get("finish_reason"))
    usage = parse_usage(data.get("usage"), request)
    return build_reply(text_of(message.get("content")), choice.get("finish_reason"), request, usage, data.get("model"))


def build_reply(
    text: str, finish: object, request: ModelRequest, usage: Usage, model: object, ttft: float | None = None
) -> ModelReply:
    """The reply of a text that is complete; MalformedError when there is none."""
    text = without_thinking(text)
    cut = finish in _CUT
    if not text.strip():
        error = malformed(f"is empty after all {request.max_tokens} tokens: raise max_tokens" if cut else "is empty")
        error.cut = cut
        raise error
    return ModelReply(
        text=text,
        usage=usage,
        finish="length" if cut else "stop",
        ttft=ttft,
        model=model if isinstance(model, str) else None,
    )


def first_choice(data: dict[str, Any]) -> dict[str, Any] | None:
    """The first choice, None where there is none."""
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else None


def text_of(content: object) -> str:
    """A message's content as text: a string, or a list of text parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))


def without_thinking(text: str) -> str:
    """The text without the thoughts that some local models write before their answer."""
    if not text.lstrip().startswith("<think>"):
        return text
    return text.partition("</think>")[2].lstrip()


def raise_for_error(data: dict[str, Any]) -> None:
    """MalformedError for an error inside a 200 (RefusedError where it is the content filter's)."""
    error = data.get("error")
    if not error:
        return
    told = error if isinstance(error, dict) else {"message": error}
    if "content_filter" in (told.get("code"), told.get("type")):
        raise_for_refusal(None, "content_filter")
    msg = f"The server sent an error inside a 200: {redact(str(told.get('message') or told.get('code') or error))}"
    raise MalformedError(msg, status=200)


def raise_for_refusal(refusal: object, finish: object) -> None:
    """RefusedError where the model refused or a filter cut in."""
    if finish == "content_filter":
        msg = "The provider's content filter stopped the answer."
        raise RefusedError(msg, status=200)
    if isinstance(refusal, str) and refusal:
        raise RefusedError(f"The model refused: {redact(refusal)}", status=200)


def parse_usage(usage: object, request: ModelRequest) -> Usage:
    """The tokens the server counted; the upper bound, flagged as estimated, where it counted none or nonsense."""
    told = usage if isinstance(usage, dict) else {}
    read, written = token_count(told.get("prompt_tokens")), token_count(told.get("completion_tokens"))
    if read is None or written is None:
        return upper_bound(request)
    cached = _detail(told, "prompt_tokens_details", "cached_tokens")
    thought = _detail(told, "completion_tokens_details", "reasoning_tokens")
    beside = _beside(told, read, written, thought)
    return Usage(read, written + beside, min(cached, read), reasoning_tokens=thought or beside)


def _detail(told: dict[str, Any], details: str, name: str) -> int:
    found = told.get(details)
    return (token_count(found.get(name)) or 0) if isinstance(found, dict) else 0


def _beside(told: dict[str, Any], read: int, written: int, thought: int) -> int:
    """Reasoning tokens that the completion's do not include.

    OpenAI's and most servers' do. xAI's and Google's do not, which shows in a total that is larger than the two parts:
    by the reasoning tokens (xAI) or by what is nowhere else (Google).
    """
    total = token_count(told.get("total_tokens"))
    if total is None:
        return thought if thought > written else 0
    missing = total - read - written
    return missing if missing > 0 and missing == (thought or missing) else 0


def upper_bound(request: ModelRequest) -> Usage:
    """The most tokens a call can have used: its prompt and all of max_tokens."""
    return Usage(sum(estimate_tokens(m.content) for m in request.messages), request.max_tokens, estimated=True)


def token_count(value: object) -> int | None:
    """A number of tokens as a server tells it; None for nonsense."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if math.isfinite(value) and 0 <= value <= MOST_TOKENS else None


def malformed(what: str) -> MalformedError:
    """The error of an answer that is none."""
    return MalformedError(f"The answer {what}.", status=200)
