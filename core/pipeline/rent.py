"""Who pays for a machine that is paid for by the hour: the calls in flight, in equal parts, second by second.

In each moment of the n calls at an endpoint each pays 1/n of it. So the shares of all calls add up to the time in which
there was any call: the machine's hours at work, exactly, however they overlapped. Time in which nothing was asked of it
is nobody's. The arithmetic is that of fair queueing (Demers, Keshav and Shenker 1989): a clock that runs at 1/n, of
which a call's share is the reading at its end less that at its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core.base.clock import Clock


class Share:
    """A call's part of an endpoint's time, in seconds: known when the call has ended."""

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds = 0.0


class Meter:
    """One endpoint's time, divided among its calls in flight. It belongs to one event loop."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._reading = 0.0
        self._at = 0.0

    def __repr__(self) -> str:
        return f"<Meter {self._reading:.1f} s each, {self.in_flight} in flight>"

    @contextmanager
    def call(self, clock: Clock) -> Iterator[Share]:
        """A call is in flight within the block, however it ends."""
        self._run(clock.monotonic())
        begun = self._reading
        self.in_flight += 1
        share = Share()
        try:
            yield share
        finally:
            self._run(clock.monotonic())
            self.in_flight -= 1
            share.seconds = self._reading - begun

    def _run(self, now: float) -> None:
        if self.in_flight:
            self._reading += (now - self._at) / self.in_flight
        self._at = now
