"""Rates: the requests and tokens a minute of one endpoint, asked for in turn and corrected by what the server says.

    reservation = await rates.admit(estimate, priority)
    try:
        reply = await send()
    except RateLimitedError as error:
        rates.rejected(reservation.started_at, error.retry_after)
        rates.refund(reservation)
    ...
    rates.settle(reservation, Load(read, written))  # whatever was sent and not rejected ends here

It belongs to one event loop. The arithmetic is in `bucket` and `pacer`, the waiting in `rates_line`.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from core.base.clock import SYSTEM_CLOCK, Clock
from core.base.errors import ConfigError
from core.flow.bucket import Bucket
from core.flow.gate import StoppedError
from core.flow.pacer import Pacer
from core.flow.rates_headers import KINDS, Kind, Told, read
from core.flow.rates_line import NO_MARKS, Line, Load, Marks, Reservation

# What a bucket holds before the server has said what is left: a second's worth, for its own burst is not known.
BURST_S = 1.0
# Kept back of what the server says is left, for calls that reach it in another order than they left.
MARGIN = 0.01
JITTER_S = 0.25


@dataclass(frozen=True, slots=True)
class Change:
    """What changed in the rates and why, in the operator's words. `at`: monotonic seconds."""

    at: float
    change: str
    reason: str


class Rates:
    """Admits calls within `rpm` requests and `tpm` tokens a minute (None: not limited), oldest item first."""

    def __init__(
        self,
        rpm: float | None = None,
        tpm: float | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: random.Random | None = None,
        *,
        name: str = "",
    ) -> None:
        self.name = name
        self.changes: deque[Change] = deque(maxlen=200)
        self._clock = clock
        self._rng = rng or random.Random()
        now = clock.monotonic()
        self._set = _quotas(rpm, tpm)
        self._buckets: dict[Kind, Bucket] = {
            kind: _bucket(limit, now) for kind, limit in self._set.items() if limit is not None
        }
        self._most_left = dict.fromkeys(KINDS, 0.0)
        self._pacer = Pacer(now)
        self._line = Line(clock, self, self._stopped)
        self._number = 0
        self._heard = 0

    def __repr__(self) -> str:
        buckets = ", ".join(f"{kind} {bucket!r}" for kind, bucket in self._buckets.items())
        return f"<Rates {self.name or 'endpoint'} {buckets or 'unlimited'}, {self._pacer!r}, {self.waiting} waiting>"

    @property
    def waiting(self) -> int:
        """How many callers wait for their turn."""
        return self._line.waiting

    @property
    def limited(self) -> bool:
        """Whether a quota is known, set or told."""
        return bool(self._buckets)

    @property
    def opens_in(self) -> float:
        """Seconds left of a cool-down; 0 without one."""
        return max(0.0, self._pacer.opens_at - self._clock.monotonic())

    @property
    def pace(self) -> float | None:
        """Requests a minute that calls are paced at after rejections; None: not paced."""
        pace = self._pacer.pace
        return None if pace is None else 60 * pace.rate(self._clock.monotonic())

    @property
    def events(self) -> int:
        """How many cascades of rejections there were."""
        return self._pacer.events

    async def admit(self, tokens: Load | int = 0, priority: float = 0.0) -> Reservation:
        """Wait for room for a call of about so many tokens; StoppedError once shut. Lowest priority value first."""
        if self._line.waiting or self._line.shut or self.wait(tokens) > 0:
            return await self._line.join(tokens, priority)
        return self.take(tokens)

    def wait(self, tokens: Load | int) -> float:
        """Seconds until a call of so many tokens may be sent, were it the first in line."""
        if not self._buckets and not self._pacer.active:
            return 0.0
        now, load = self._clock.monotonic(), Load.of(tokens)
        waits = [bucket.wait(load.amount(kind), now) for kind, bucket in self._buckets.items()]
        return max(0.0, self._pacer.wait(now), *waits)

    def take(self, tokens: Load | int) -> Reservation:
        """Take a place without waiting for it (`admit` does both)."""
        now, load = self._clock.monotonic(), Load.of(tokens)
        self._number += 1
        self._pacer.take(now)
        marks = self._taken(load, now) if self._buckets else NO_MARKS
        return Reservation(load, now, self._number, marks)

    def _taken(self, load: Load, now: float) -> Marks:
        for kind, bucket in self._buckets.items():
            bucket.take(load.amount(kind), now)
        there = (self._buckets.get(kind) for kind in KINDS)
        return tuple(bucket.mark() if bucket else None for bucket in there)

    def settle(self, reservation: Reservation, used: Load | int) -> None:
        """A call was accepted and used so many tokens (once: what follows for the same reservation is ignored)."""
        if not reservation.open:
            return
        reservation.open = False
        self._pacer.answered()
        now, spent = self._clock.monotonic(), Load.of(used)
        for kind, bucket in self._buckets.items():
            # A server that says what is left has its own way of counting: its word is followed instead.
            if not bucket.followed:
                bucket.give(reservation.load.amount(kind) - spent.amount(kind), now)
        if self._buckets:
            self._line.move()

    def refund(self, reservation: Reservation) -> None:
        """A call was rejected or never sent: it used nothing."""
        if not reservation.open:
            return
        reservation.open = False
        self._pacer.withdraw(reservation.started_at)
        now = self._clock.monotonic()
        for kind, bucket in self._buckets.items():
            bucket.give(reservation.load.amount(kind), now)
        self._line.move()

    def rejected(self, started_at: float, retry_after: float | None = None) -> Change | None:
        """A call that began then got a 429. The Change when that slows all callers, None where it slows nobody.

        One event per cascade: calls that began before the last cut only add to its cool-down. A stray rejection is
        for its own call to wait out. `retry_after`: seconds, None where the server did not say. Refund the call too.
        """
        wait = None if retry_after is None else max(0.0, retry_after) + self._rng.uniform(0.0, JITTER_S)
        event = self._pacer.rejected(started_at, self._clock.monotonic(), wait)
        return None if event is None else self._record(*event)

    def observe(self, headers: Mapping[str, str], reservation: Reservation | None = None) -> list[Change]:
        """Take in what a response's headers say of the quota; the changes of a limit, each with its reason.

        With the call's reservation, which tells when it was sent, what is left is followed exactly, up and down;
        without it only downwards. Nonsense is ignored.
        """
        told = read(headers, self._clock.wall())
        if not told:
            return []
        changes = [change for one in told if (change := self._limit(one)) is not None]
        if reservation is None or reservation.number >= self._heard:
            self._heard = reservation.number if reservation else self._heard
            for one in told:
                self._correct(one, reservation)
        self._line.move()
        return changes

    def retune(self, rpm: float | None, tpm: float | None) -> None:
        """Other quotas by the operator's hand, from now on (None: not limited, but by what the server says)."""
        self._set = _quotas(rpm, tpm)
        now = self._clock.monotonic()
        for kind, limit in self._set.items():
            bucket = self._buckets.get(kind)
            if limit is None:
                self._buckets.pop(kind, None)
            elif bucket is None:
                self._buckets[kind] = _bucket(limit, now)
            else:
                bucket.resize(limit / 60, max(1.0, limit / 60 * BURST_S), now)
        self._line.move()

    def _limit(self, told: Told) -> Change | None:
        """Follow the server's limit; one that the operator set lower stays."""
        if told.limit is None:
            return None
        now, kind = self._clock.monotonic(), told.kind
        limit = min(told.limit, self._set.get(kind) or told.limit)
        bucket = self._buckets.get(kind)
        if bucket is None:
            self._buckets[kind] = _bucket(limit, now)
            return self._record(f"{kind} unlimited -> {limit:g} a minute", "the server's headers say so")
        if abs(bucket.rate * 60 - limit) <= 1e-6 * limit:
            return None
        change = f"{kind} {bucket.rate * 60:g} -> {limit:g} a minute"
        bucket.resize(limit / 60, max(1.0, limit / 60 * BURST_S), now)
        return self._record(change, "the server's headers say so")

    def _correct(self, told: Told, reservation: Reservation | None) -> None:
        bucket, now = self._buckets.get(told.kind), self._clock.monotonic()
        if bucket is None or told.remaining is None:
            return
        limit = min(told.limit or math.inf, bucket.rate * 60)
        left = told.remaining - max(1.0, MARGIN * limit)
        mark = reservation.marks[KINDS.index(told.kind)] if reservation else None
        # Where the operator allows less than the server, what the server has left is no leave to hurry.
        if mark is None or limit < (told.limit or limit):
            bucket.lower(left, now)
        else:
            bucket.size = max(bucket.size, limit)
            bucket.correct(mark, left, now)
        self._close(told, bucket, limit)

    def _close(self, told: Told, bucket: Bucket, limit: float) -> None:
        """Hold the calls where nothing is left until a window of fixed times ends.

        A quota that flows in steadily is whole again after 60 s x the share used; one that says it will be so in half
        that time begins anew then, with nothing before. Unless it keeps but a few seconds' worth: then it is whole at
        the most that was ever left, and says when that flows in again.
        """
        most = self._most_left[told.kind] = max(self._most_left[told.kind], told.remaining or 0.0)
        if told.remaining is None or told.reset_s is None or told.remaining > MARGIN * limit:
            return
        whole_in = (most - told.remaining) / (told.limit or limit) * 60.0
        small = most < limit / 2 and abs(told.reset_s - whole_in) <= 0.5 + 0.2 * whole_in
        if not small and told.reset_s < 30.0 * (limit - told.remaining) / limit:
            bucket.closed_until = self._clock.monotonic() + told.reset_s

    def _record(self, change: str, reason: str) -> Change:
        recorded = Change(self._clock.monotonic(), change, reason)
        self.changes.append(recorded)
        return recorded

    def shut(self) -> None:
        """Admit nobody any more: waiters and newcomers get StoppedError."""
        self._line.close()

    def _stopped(self) -> StoppedError:
        return StoppedError(f"The rates of {self.name or 'the endpoint'} are shut.")


def _quotas(rpm: float | None, tpm: float | None) -> dict[Kind, float | None]:
    return {"requests": _checked("rpm", rpm), "tokens": _checked("tpm", tpm)}


def _checked(name: str, limit: float | None) -> float | None:
    if limit is None or (isinstance(limit, (int, float)) and not isinstance(limit, bool) and 0 < limit < float("inf")):
        return limit
    msg = f"{name} is {limit!r}; it must be a number above 0, or left out where nothing is limited."
    raise ConfigError(msg)


def _bucket(limit: float, now: float) -> Bucket:
    return Bucket(limit / 60, max(1.0, limit / 60 * BURST_S), now)
