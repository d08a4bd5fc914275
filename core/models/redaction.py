"""What a provider or a library said, made fit to be shown and stored: no keys, no user-info, no control characters."""

from __future__ import annotations

import re

LONGEST = 300
HIDDEN = "[redacted]"
_USER_INFO = re.compile(r"(?<=://)[^/\s\"'@]+@")
_NAMED = re.compile(
    r"(?i)\b((?:proxy-)?authorization|(?:x-)?api[-_ ]?key|(?:access[-_])?token|secret|password)([\"']?\s*[:=]\s*[\"']?)"
    r"(?:bearer\s+|basic\s+)?[^\s\"',;&}]+"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=*-]{6,}")
_KEY = re.compile(r"\b(?:sk|rpa|hf|gsk|xai|pk|key|AIza)[-_][A-Za-z0-9_*.-]{6,}|\bAIza[\w-]{20,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def redact(text: str, secret: Secret | None = None) -> str:
    """The text without the secret and anything that looks like one, on one line, cut to 300 characters."""
    text = secret.hide(text) if secret else text
    text = _CONTROL.sub(" ", text[: LONGEST * 8])
    text = _USER_INFO.sub(f"{HIDDEN}@", text)
    text = _NAMED.sub(rf"\1\2{HIDDEN}", text)
    text = _KEY.sub(HIDDEN, _BEARER.sub(rf"\1 {HIDDEN}", text))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


class Secret:
    """A value that shows itself only when asked: tracebacks and logs print its repr."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return HIDDEN

    def hide(self, text: str) -> str:
        """The text with the value's last word (what follows `Bearer`) replaced."""
        return text.replace(self._value.rpartition(" ")[2], HIDDEN)

    def reveal(self) -> str:
        """The value itself, for the request and nothing else."""
        return self._value
