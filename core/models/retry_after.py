"""When a server wants to be asked again, in whichever form it says so."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

Header = Callable[[str], str | None]

_DELAY = re.compile(r'"retryDelay"\s*:\s*"([0-9.]{1,12})s"')


def retry_after(header: Header, body: str, now: float) -> float | None:
    """Seconds to wait, None where the server did not say, said nonsense or named a moment that is past.

    `retry-after-ms` (OpenAI), `retry-after` in seconds or as an HTTP date (RFC 9110), `retryDelay` in the body
    (Google). `now` is wall seconds.
    """
    milliseconds = _number(header("retry-after-ms"))
    if milliseconds is not None:
        return _positive(milliseconds / 1000)
    told = header("retry-after")
    if told:
        seconds = _number(told)
        return _positive(seconds if seconds is not None else _until(told, now))
    found = _DELAY.search(body)
    return _positive(_number(found[1])) if found else None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _until(text: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).timestamp() - now


def _positive(seconds: float | None) -> float | None:
    return seconds if seconds is not None and math.isfinite(seconds) and seconds > 0 else None
