"""A key is never shown: not in messages, reprs, tracebacks with locals, nor in what providers say back."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from core.base.errors import ConfigError, ModelError
from core.base.records import ModelRequest
from core.models import HttpTransport, OpenAIModel
from core.models.redaction import LONGEST, Secret, redact
from tests.models.asking import PLAIN, QUICK, STREAMED, failure
from tests.support import fault_server as fs

KEY = "sk-canary-7f3a9c1e5b"
STATUSES = (400, 401, 403, 404, 413, 429, 500, 503, 302)


def echo(key: str) -> dict[str, object]:
    """What a careless provider says."""
    return {"error": {"message": f"Incorrect API key provided: {key}. Authorization: Bearer {key}"}}


FAULTS: dict[str, Callable[[str], fs.Fault]] = {
    **{str(status): partial(lambda status, key: fs.response(status, echo(key)), status) for status in STATUSES},
    "insufficient_quota": lambda key: fs.response(429, {"error": {"code": "insufficient_quota", "message": key}}),
    "garbage": lambda key: fs.response(200, f"garbage {key}"),
    "error in 200": lambda key: fs.response(200, echo(key)),
    "error in stream": lambda key: fs.stream(echo(key)),
    "refusal": lambda key: fs.good(choices=[{"message": {"refusal": f"not with {key}"}}]),
    "reset": lambda _: fs.reset,
    "reset in body": lambda _: fs.reset_in_body,
    "hang": lambda _: fs.hang,
    "oversized": lambda _: fs.oversized(declared=True),
}


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error with all that led to it."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


def shown_by(error: BaseException) -> str:
    """All that a log could show of an error: its texts, and its traceback."""
    parts = [f"{e} {e!r} {e.args!r} {vars(e)!r}" for e in chain(error)]
    return "\n".join([*parts, *traceback.format_exception(error)])


def locals_of(error: BaseException) -> str:
    """What a crash report with local variables could show of our own frames."""
    frames = [frame for e in chain(error) for frame, _ in traceback.walk_tb(e.__traceback__)]
    ours = [frame for frame in frames if "/core/" in frame.f_code.co_filename]
    assert ours
    return "\n".join(f"{name} = {value!r}" for frame in ours for name, value in frame.f_locals.items())


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("key", [KEY, "plainword1234"])
@pytest.mark.parametrize("request_", [PLAIN, STREAMED], ids=["whole", "streamed"])
def test_no_fault_shows_the_key(name: str, key: str, request_: ModelRequest) -> None:
    """Through every fault, also where the provider repeats the key, neither text nor traceback shows it."""
    assert key not in shown_by(failure(request_, FAULTS[name](key), api_key=key, deadlines=QUICK))


@pytest.mark.parametrize(
    "fault", [fs.response(401, "no"), fs.response(200, "garbage"), fs.reset, fs.hang, fs.stream("x")]
)
def test_our_own_frames_do_not_hold_the_key_in_sight(fault: fs.Fault) -> None:
    """A traceback that prints local variables prints no key from our code."""
    assert KEY not in locals_of(failure(STREAMED, fault, api_key=KEY, deadlines=QUICK))


def test_user_info_is_sent_but_not_shown() -> None:
    """User and password of a URL become basic authentication; the model's repr and its errors show neither."""

    async def main() -> tuple[str, str]:
        async with fs.FaultServer(fs.response(401, "no")) as server:
            transport = HttpTransport()
            url = server.url.replace("//", "//cook:canary-word@")
            model = OpenAIModel(url, transport=transport)
            with pytest.raises(ModelError) as caught:
                await model.complete(PLAIN)
            await transport.aclose()
            assert server.requests[0].headers["authorization"] == "Basic Y29vazpjYW5hcnktd29yZA=="
            return str(caught.value), repr(model)

    for shown in asyncio.run(main()):
        assert "canary-word" not in shown


def test_a_bad_url_is_not_repeated() -> None:
    """The error of a URL that cannot be used does not show it: it may hold a password."""

    async def main() -> None:
        with pytest.raises(ConfigError) as caught:
            OpenAIModel(f"ftp://u:{KEY}@host/", transport=HttpTransport())
        assert KEY not in str(caught.value)

    asyncio.run(main())


def test_a_key_that_cannot_be_one_is_refused_unseen() -> None:
    """A key with a line break (a common slip) is refused when the model is made, and not shown."""

    async def main() -> None:
        with pytest.raises(ConfigError) as caught:
            OpenAIModel("http://127.0.0.1:9/v1", transport=HttpTransport(), api_key=f"{KEY}\nx")
        assert KEY not in str(caught.value)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("key hf_abcdefghijklm was bad", "hf_abcdefghijklm"),
        ("Authorization: Bearer abc.def.ghi", "abc.def.ghi"),
        ('{"api_key": "zzz111"}', "zzz111"),
        ("http://user:pass1@proxy:3128/", "pass1"),
        ("x-api-key=qwerty123", "qwerty123"),
        ("AIzaSyA1234567890abcdefghijklmnop", "AIzaSyA1234567890abcdefghijklmnop"),
    ],
)
def test_what_looks_like_a_key_is_hidden(text: str, hidden: str) -> None:
    """Keys of known shapes, tokens after their names, and user-info in URLs are replaced."""
    assert hidden not in redact(text)
    assert "[redacted]" in redact(text)


def test_a_long_text_is_cut_and_made_one_line() -> None:
    """Provider texts are cut to 300 characters and hold no control characters, so that they cannot forge log lines."""
    found = redact("a\n\x1b[31mb" + "x" * 5000)
    assert len(found) == LONGEST
    assert found.isprintable()


def test_a_cut_does_not_leave_half_a_key() -> None:
    """A secret is hidden before the text is cut, also where the cut would fall into it."""
    found = redact("x" * (LONGEST - 8) + KEY, Secret(f"Bearer {KEY}"))
    assert "sk-can" not in found
