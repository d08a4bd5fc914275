"""Faults on request: which call fails, and how its answer is spoilt on its way to the client."""

from __future__ import annotations

import random
from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from core.practice.answers import error_body
from core.practice.http import Connection
from core.practice.presets import Preset

_CUT_AT = 40


class Fate(StrEnum):
    """What becomes of a call. error: a 500 in place of the answer; reset: the connection breaks in mid-body; garbage: a
    200 whose JSON is cut off; hang: nothing for hang_s, then the answer."""

    GOOD = "good"
    ERROR = "error"
    RESET = "reset"
    GARBAGE = "garbage"
    HANG = "hang"


FAILED: Mapping[Fate, int] = {Fate.ERROR: 500, Fate.RESET: 200, Fate.GARBAGE: 200}


class Outlet(Protocol):
    """Where a call writes its answer."""

    def send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None: ...
    def begin(self, headers: Mapping[str, str] | None = None) -> None: ...
    def chunk(self, data: bytes, *, last: bool = False) -> None: ...


class Fates:
    """Draws a fate for each call, the same for the same seed."""

    def __init__(self, preset: Preset) -> None:
        shares = {
            Fate.ERROR: preset.errors,
            Fate.RESET: preset.resets,
            Fate.GARBAGE: preset.garbage,
            Fate.HANG: preset.hangs,
        }
        self._fates = [*shares, Fate.GOOD]
        self._weights = [*shares.values(), max(0.0, 1 - sum(shares.values()))]
        self._certain = not any(shares.values())
        self._chance = random.Random(f"fates {preset.seed}")

    def draw(self) -> Fate:
        """The next call's."""
        return Fate.GOOD if self._certain else self._chance.choices(self._fates, self._weights)[0]


def outlet(fate: Fate, connection: Connection) -> Outlet:
    """The connection, or what spoils the answer on its way into it."""
    return _Spoilt(fate, connection) if fate in FAILED else connection


class _Spoilt:
    """An answer that ends as its fate says, at the time at which the good one would have ended."""

    def __init__(self, fate: Fate, connection: Connection) -> None:
        self._fate = fate
        self._connection = connection

    def send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        if self._fate is Fate.ERROR:
            self._connection.send(500, error_body("The server had an error.", "server_error", kind="server_error"))
        elif self._fate is Fate.GARBAGE:
            self._connection.send(status, body[:_CUT_AT], headers)
        else:
            self._connection.begin(headers)
            self._break_off()

    def begin(self, headers: Mapping[str, str] | None = None) -> None:
        if self._fate is not Fate.ERROR:
            self._connection.begin(headers)

    def chunk(self, data: bytes, *, last: bool = False) -> None:
        if not last:
            if self._fate is not Fate.ERROR:
                self._connection.chunk(data)
        elif self._fate is Fate.GARBAGE:
            self._connection.chunk(data[:_CUT_AT] + b"\n\n", last=True)
        elif self._fate is Fate.ERROR:
            self.send(500, b"")
        else:
            self._break_off()

    def _break_off(self) -> None:
        self._connection.chunk(b"{")
        self._connection.reset()
