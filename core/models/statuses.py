"""What an HTTP status other than 200 means: one error of the tree for each, with what the server said, redacted."""

from __future__ import annotations

import re
from typing import Any

import orjson

from core.base.errors import (
    ContextTooLongError,
    ModelError,
    RateLimitedError,
    RefusedError,
    RejectedError,
    ServerFaultError,
)
from core.models.crowding import too_many_at_once
from core.models.redaction import Secret, redact
from core.models.retry_after import Header, retry_after

_SPENT_CODES = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_credits"}
)
_SPENT = re.compile(
    r"(?i)(credit balance|insufficient (?:funds|credits?|balance|quota)|spend(?:ing)? limit|billing hard limit)"
)
_CONTEXT_CODES = frozenset({"context_length_exceeded", "string_above_max_length", "exceed_context_size_error"})
_CONTEXT = re.compile(
    r"(?i)(context[ _](?:length|window|size)|maximum (?:model|context|input|prompt)|max_model_len"
    r"|too many (?:input )?tokens|prompt is too long|input is too long|exceeds? the (?:model|available context|max))"
)
_WAYS_OUT = {
    401: "Check the key in the endpoint's key_env.",
    402: "Payment is due: top up the account.",
    403: "The key may not use this model.",
    404: "Check the url (does it end in /v1?) and the model's name.",
}


def error_of_status(
    status: int, header: Header, body: bytes, *, host: str, now: float, secret: Secret | None = None
) -> ModelError:
    """The error for a status. `now` is wall seconds, for a Retry-After that is a date."""
    text = body.decode("utf-8", "replace")
    code, message = _told(body, text)
    said = f"{host} answered {status}: {redact(message, secret) or 'nothing more'}"
    if status == 429:
        rejected = _too_many(code, message, said, retry_after(header, text, now))
        rejected.busy = too_many_at_once(status, f"{code} {message}")
        return rejected
    if status in {408, 409, 425} or status >= 500:
        fault = ServerFaultError(said, status=status, retry_after=retry_after(header, text, now))
        fault.busy = too_many_at_once(status, f"{code} {message}")
        return fault
    if status in {400, 413, 422}:
        return _bad_request(status, code, message, said)
    if 300 <= status < 400:
        said = (
            f"{host} answered {status}, a redirect; redirects are not followed. Use the address it leads to as the url."
        )
    return RejectedError(f"{said} {_WAYS_OUT.get(status, '')}".rstrip(), status=status)


def _too_many(code: str, message: str, said: str, wait: float | None) -> ModelError:
    spent = code in _SPENT_CODES or bool(_SPENT.search(message))
    # Google says this of its per-minute limits too, but then with a time to wait.
    spent = spent or (wait is None and "check your plan and billing" in message)
    if spent:
        return RejectedError(f"{said} The account's spend limit is reached.", status=429)
    return RateLimitedError(said, retry_after=wait)


def _bad_request(status: int, code: str, message: str, said: str) -> ModelError:
    if code in _CONTEXT_CODES or _CONTEXT.search(message):
        return ContextTooLongError(said, status=status)
    if code in {"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"}:
        return RefusedError(said, status=status)
    if _SPENT.search(message):
        return RejectedError(f"{said} Top up the account.", status=status)
    return ContextTooLongError(said, status=status) if status == 413 else ModelError(said, status=status)


def _told(body: bytes, text: str) -> tuple[str, str]:
    """The code (or type) and the message, wherever the server put them."""
    try:
        data: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", text
    data = data[0] if isinstance(data, list) and data else data
    if not isinstance(data, dict):
        return "", text
    error = data.get("error", data)
    if not isinstance(error, dict):
        return "", str(error)
    code, kind = error.get("code"), error.get("type")
    message = error.get("message") or error.get("detail") or text
    return str(code if isinstance(code, str) else kind or ""), str(message)
