"""The breaker: an endpoint that is down is asked by one probe at a time instead of by everybody."""

from __future__ import annotations

import random
from collections import deque
from enum import StrEnum

from core.base.clock import SYSTEM_CLOCK, Clock

RECENT = 20
RECENT_S = 60.0
ENOUGH = 10
IN_A_ROW = 5
LONGEST_S = 30.0
JITTER = 0.2


class BreakerState(StrEnum):
    """closed: all calls pass; open: none; half_open: one probe is on its way."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Opens on more than half failures of at least 10 recent calls or on 5 failures in a row.

    After 1, 2, 4 .. 30 s (+-20 %) one probe passes: its success closes the breaker, its failure doubles the wait. Each
    `allow()` that said yes must be followed by one of `succeeded`, `failed`, `cancelled`. Rejections (429) and refusals
    come from a server that works: report them as `succeeded`. Times are the clock's monotonic seconds.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK, rng: random.Random | None = None, *, name: str = "") -> None:
        self.name = name
        self.state = BreakerState.CLOSED
        self.reason = "No call has failed yet."
        self.opened_at = 0.0
        self._clock = clock
        self._rng = rng or random.Random()
        self._recent: deque[tuple[float, bool]] = deque(maxlen=RECENT)
        self._in_a_row = 0
        self._openings = 0
        self._probe_at = 0.0
        self._retry_at = 0.0

    def __repr__(self) -> str:
        wait = f", probe in {self.retry_in:.1f} s" if self.state is BreakerState.OPEN else ""
        failed, seen = self._counts()
        return f"<Breaker {self.name or 'endpoint'} {self.state}, {failed}/{seen} failed{wait}>"

    @property
    def retry_in(self) -> float:
        """Seconds until a call may pass: 0 when closed or when a probe is due, also while a probe is on its way."""
        return max(0.0, self._retry_at - self._clock.monotonic()) if self.state is BreakerState.OPEN else 0.0

    def allow(self) -> bool:
        """Whether a call may be sent now; a yes while open takes the probe's slot."""
        if self.state is BreakerState.CLOSED:
            return True
        if self.state is BreakerState.HALF_OPEN or self.retry_in > 0:
            return False
        self.state = BreakerState.HALF_OPEN
        self._probe_at = self._clock.monotonic()
        self.reason = "One probe is on its way; its answer decides."
        return True

    def succeeded(self, started_at: float | None = None) -> None:
        """A call was answered. A call that began before the probe (`started_at`) closes nothing."""
        if self.state is BreakerState.CLOSED:
            self._in_a_row = 0
            self._recent.append((self._clock.monotonic(), True))
        elif self._is_probe(started_at):
            self._close()

    def failed(self, started_at: float | None = None) -> None:
        """A call failed: a fault, a timeout, nobody there. One that began before the last opening counts not."""
        if self.state is BreakerState.CLOSED:
            self._count_failure(started_at)
        elif self._is_probe(started_at):
            self._open("The probe failed too")

    def cancelled(self, started_at: float | None = None) -> None:
        """A call was given up by us: it says nothing, and a probe gives its slot back."""
        if self._is_probe(started_at):
            self.state = BreakerState.OPEN
            self.reason = "The probe was cancelled; the next call probes."

    def _is_probe(self, started_at: float | None) -> bool:
        return self.state is BreakerState.HALF_OPEN and (started_at is None or started_at >= self._probe_at)

    def _count_failure(self, started_at: float | None) -> None:
        if started_at is not None and self._openings and started_at < self.opened_at:
            return
        self._in_a_row += 1
        self._recent.append((self._clock.monotonic(), False))
        failed, seen = self._counts()
        if self._in_a_row >= IN_A_ROW:
            self._open(f"{self._in_a_row} calls in a row failed")
        elif seen >= ENOUGH and 2 * failed > seen:
            self._open(f"{failed} of the last {seen} calls failed (more than half)")

    def _counts(self) -> tuple[int, int]:
        since = self._clock.monotonic() - RECENT_S
        fresh = [ok for at, ok in self._recent if at >= since]
        return fresh.count(False), len(fresh)

    def _open(self, why: str) -> None:
        wait = min(LONGEST_S, 2.0 ** min(self._openings, 10)) * self._rng.uniform(1 - JITTER, 1 + JITTER)
        self.state = BreakerState.OPEN
        self.opened_at = self._clock.monotonic()
        self._retry_at = self.opened_at + wait
        self._openings += 1
        self.reason = f"{why}: one probe in {wait:.1f} s."

    def _close(self) -> None:
        self.state = BreakerState.CLOSED
        self.reason = "The probe was answered: all calls pass again."
        self._recent.clear()
        self._in_a_row = 0
        self._openings = 0
