"""Anthropic's messages API: which error each failure is, and that its key is never shown."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from core.base.errors import (
    BrokenReplyError,
    ConfigError,
    ContextTooLongError,
    MalformedError,
    ModelError,
    RateLimitedError,
    RejectedError,
    ServerFaultError,
)
from core.base.records import ModelRequest
from core.models import AnthropicModel, HttpTransport
from core.models.http_model import SilentHeaders
from tests.models.asking import PLAIN, QUICK, STREAMED
from tests.models.asking_anthropic import (
    BOTH,
    KEY,
    STOP,
    delta,
    failure,
    of,
    start,
    streamed,
    told,
    whole,
)
from tests.models.test_secrets import locals_of, shown_by
from tests.support import fault_server as fs

ERRORS = [
    (400, "invalid_request_error", "temperature: Input should be less than 1", ModelError),
    (400, "invalid_request_error", "prompt is too long: 213462 tokens > 200000 maximum", ContextTooLongError),
    (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", RejectedError),
    (401, "authentication_error", "invalid x-api-key", RejectedError),
    (402, "billing_error", "no", RejectedError),
    (403, "permission_error", "no", RejectedError),
    (404, "not_found_error", "model: claude-nine", RejectedError),
    (413, "request_too_large", "Request exceeds the maximum size", ContextTooLongError),
    (429, "rate_limit_error", "slow down", RateLimitedError),
    (500, "api_error", "Internal server error", ServerFaultError),
    (504, "timeout_error", "late", ServerFaultError),
    (529, "overloaded_error", "Overloaded", ServerFaultError),
]


@BOTH
@pytest.mark.parametrize(("status", "kind", "text", "expected"), ERRORS)
def test_each_status_has_its_error(
    request_: ModelRequest, status: int, kind: str, text: str, expected: type[ModelError]
) -> None:
    """Statuses become the errors of the tree, with what the server said."""
    error = failure(request_, fs.response(status, told(kind, text)))
    assert (type(error), error.status) == (expected, status)
    assert text in str(error)


@BOTH
@pytest.mark.parametrize(("status", "kind", "text", "expected"), ERRORS)
def test_an_error_inside_a_200_is_the_same_error(
    request_: ModelRequest, status: int, kind: str, text: str, expected: type[ModelError]
) -> None:
    """An error event in a stream that began well is what its type says, as if it had come with its status."""
    body = told(kind, text)
    found = {"whole": fs.response(200, body), "streamed": streamed(start(), delta("All"), body)}
    error = failure(request_, of(request_, found))
    assert (type(error), error.status) == (expected, status)
    assert text in str(error)


@pytest.mark.parametrize("status", [429, 529])
def test_retry_after_is_read(status: int) -> None:
    """The time to wait comes with the error."""
    error = failure(PLAIN, fs.response(status, told("rate_limit_error"), retry_after="7"))
    assert isinstance(error, RateLimitedError | ServerFaultError)
    assert error.retry_after == 7


MALFORMED = {
    "no content": whole(content=None),
    "empty": whole(content=[]),
    "thoughts only": whole(content=[{"type": "thinking", "thinking": "Hm."}], stop_reason="max_tokens"),
    "an unknown error": fs.response(200, told("new_error")),
    "an error that is none": fs.response(200, {"type": "error"}),
    "a list": fs.response(200, "[1]"),
    "garbage": fs.response(200, "garbage"),
    "a stream cut off": streamed(start(), delta("All")),
    "a stream of nothing": streamed(),
    "a stream of numbers": streamed("3"),
    "a stream of garbage": streamed("{"),
    "strange events": streamed({"type": "message_start"}, {"type": "content_block_delta"}, {"type": "message_delta"}),
    "a stop without a reason": streamed(start(), delta("All"), STOP),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_answer_is_malformed(name: str) -> None:
    """An answer is only an answer when it parses."""
    assert type(failure(STREAMED, MALFORMED[name])) is MalformedError


def test_a_stream_that_breaks_off_is_broken() -> None:
    """A reset in the middle leaves the bill unknown."""
    assert isinstance(failure(STREAMED, fs.reset_in_stream), BrokenReplyError)


SECRET_FAULTS: dict[str, Callable[[str], fs.Fault]] = {
    **{str(s): lambda key, s=s: fs.response(s, told("x", f"bad x-api-key: {key}")) for s in (400, 401, 429, 529, 302)},  # type: ignore[misc]
    "error event": lambda key: streamed(start(), told("overloaded_error", "y" * 280 + key)),
    "unknown error event": lambda key: streamed(start(), told("new_error", f"not {key}")),
    "garbage": lambda key: fs.response(200, f"garbage {key}"),
    "reset": lambda _: fs.reset,
    "hang": lambda _: fs.hang,
}


@BOTH
@pytest.mark.parametrize("name", SECRET_FAULTS)
@pytest.mark.parametrize("key", [KEY, "plainword1234"])
def test_no_fault_shows_the_key(name: str, key: str, request_: ModelRequest) -> None:
    """Neither an error's text, nor its traceback, nor our frames' variables show the key."""
    error = failure(request_, SECRET_FAULTS[name](key), key=key, deadlines=QUICK)
    assert key not in shown_by(error)
    if name in ("401", "reset", "hang"):
        assert KEY not in locals_of(error)


def test_headers_and_models_show_no_key() -> None:
    """httpx itself hides an authorization only."""
    model = AnthropicModel("https://u:canary-word@host", transport=HttpTransport(), api_key=KEY)
    shown = f"{model!r} {vars(model)!r} {model._request('GET', httpx.URL('http://x')).headers!r}"
    assert KEY not in shown
    assert "canary-word" not in shown
    assert KEY not in repr(SilentHeaders({"x-api-key": KEY}))
    with pytest.raises(ConfigError) as caught:
        AnthropicModel("https://host", transport=HttpTransport(), api_key=f"{KEY}\nx")
    assert KEY not in str(caught.value)
