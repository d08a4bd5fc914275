"""What response headers say of a quota, as OpenAI and Anthropic (and who imitates them) write it. Pure parsing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Kind = Literal["requests", "tokens", "input-tokens", "output-tokens"]
KINDS: tuple[Kind, ...] = ("requests", "tokens", "input-tokens", "output-tokens")

LARGEST = 1e12
LONGEST_RESET_S = 7 * 86_400.0
_UNITS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_SPAN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|us|µs|ns|d|h|m|s)")
_PLAIN = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Told:
    """One quota: its limit a minute, what was left right after the call, seconds until it is whole again (None: not
    said, or nonsense)."""

    kind: Kind
    limit: float | None
    remaining: float | None
    reset_s: float | None


def read(headers: Mapping[str, str], wall: float) -> list[Told]:
    """What the headers say of requests and of tokens: of all, or of those read and those written.

    Where Anthropic's tokens are but the stricter of the two others once more, they are left out: counted against all
    tokens of a call, it would be kept twice too strictly. `wall`: seconds since the epoch, for a reset that is a date.
    """
    found = {name.lower(): value for name, value in headers.items() if "ratelimit" in name.lower()}
    told = {kind: one for kind in KINDS if (one := _told(found, kind, wall))} if found else {}
    whole, parts = told.get("tokens"), [told[kind] for kind in KINDS[2:] if kind in told]
    if whole and any(whole.limit == part.limit for part in parts):
        del told["tokens"]
    return list(told.values())


def _told(found: Mapping[str, str], kind: Kind, wall: float) -> Told | None:
    limit, remaining, reset = (
        found.get(f"x-ratelimit-{fact}-{kind}") or found.get(f"anthropic-ratelimit-{kind}-{fact}")
        for fact in ("limit", "remaining", "reset")
    )
    cap, left = _amount(limit), _amount(remaining)
    cap = cap if cap and cap >= 1 else None
    if left is not None and cap is not None and left > cap:
        left = None
    return None if cap is None and left is None else Told(kind, cap, left, seconds(reset, wall))


def _amount(text: str | None) -> float | None:
    if text is None or not _PLAIN.fullmatch(text.strip()):
        return None
    value = float(text)
    return value if value <= LARGEST else None


def seconds(text: str | None, wall: float) -> float | None:
    """A span ("6m0s", "120ms", "1s", "17.5") or a moment (RFC 3339) as seconds from now; None where it is nonsense."""
    text = (text or "").strip()
    if not text or len(text) > 64:
        return None
    span = _span(text)
    value = _until(text, wall) if span is None else span
    return value if value is not None and math.isfinite(value) and 0 <= value <= LONGEST_RESET_S else None


def _span(text: str) -> float | None:
    if _PLAIN.fullmatch(text):
        return float(text)
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _until(text: str, wall: float) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - wall)
