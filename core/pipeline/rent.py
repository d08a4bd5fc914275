"""Who pays for a machine that is paid for by the hour: the calls in flight, in equal parts, second by second.

In each moment of the n calls at an endpoint each pays 1/n of it. So the shares of all calls add up to the time in which
there was any call: the machine's hours at work, exactly, however they overlapped. Time in which nothing was asked of it
is nobody's. The arithmetic is that of fair queueing (Demers, Keshav and Shenker 1989): a clock that runs at 1/n, of
which a call's share is the reading at its end less that at its beginning.
"""

from __future__ import annotations

from core.base.clock import Clock


class Share:
    """A call's part of an endpoint's time, in seconds: known when the block in which it is in flight has ended."""

    __slots__ = ("_begun", "_clock", "_meter", "seconds")

    def __init__(self, meter: Meter, clock: Clock) -> None:
        self.seconds = 0.0
        self._meter = meter
        self._clock = clock

    def __enter__(self) -> Share:
        self._begun = self._meter.join(self._clock.monotonic())
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = self._meter.leave(self._clock.monotonic()) - self._begun


class Meter:
    """One endpoint's time, divided among its calls in flight. It belongs to one event loop."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._reading = 0.0
        self._at = 0.0

    def __repr__(self) -> str:
        return f"<Meter {self._reading:.1f} s each, {self.in_flight} in flight>"

    def call(self, clock: Clock) -> Share:
        """A call is in flight within a `with` block of it, however that ends."""
        return Share(self, clock)

    def join(self, now: float) -> float:
        """One more call is in flight; the clock's reading."""
        self._run(now)
        self.in_flight += 1
        return self._reading

    def leave(self, now: float) -> float:
        """One call less is in flight; the clock's reading."""
        self._run(now)
        self.in_flight -= 1
        return self._reading

    def _run(self, now: float) -> None:
        if self.in_flight:
            self._reading += (now - self._at) / self.in_flight
        self._at = now
