"""Pacing after rejections: told from stray ones, at the rate the server has accepted. Pure arithmetic.

Every method is told the time (monotonic seconds). A stray 429 is noise; a cascade is a signal, and counts once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from core.flow.bucket import Bucket

WINDOW_S = 60.0
SHARE = 0.97
RISE = 0.0015
BURST = 2.0
LATENESS_S = 0.05
SLOT_S = 0.25
SLOTS = 256
LONGEST_COOL_DOWN_S = 120.0
UNTOLD_COOL_DOWN_S = 1.0
# Rejections less a fifteenth of the answers, twice the noise of one in thirty: five of them are a cascade. Strays of
# three in a hundred get there once in some ten thousand calls.
CASCADE = 5.0
FORGIVEN = 1 / 15
# .. if they are also a tenth of the calls that left since the first of them: answers are slower than rejections.
CROWD = 0.1
# A stray one is remembered for a hundred answers.
FORGOTTEN = 0.01
MOST_NOISE = 3.0
NOISY = 0.5
MOST_LOOSE = 6
ENOUGH_CALLS = 30
ENOUGH_S = 5.0
FIRM_S = 20.0
FIRM_CALLS = 75.0
FIRMEST_S = 45.0
SEARCH_S = 3.0
LIFTED = 1.5
SEARCH = 100.0
EDGE = 0.99


class Window:
    """Calls a second over the last minute, by the moment they were admitted, in slots of a quarter second."""

    __slots__ = ("_counts", "_stamps")

    def __init__(self) -> None:
        self._counts = [0] * SLOTS
        self._stamps = [-1] * SLOTS

    def add(self, at: float, count: int = 1) -> None:
        """Count a call admitted then; -1 takes one back."""
        stamp = int(at / SLOT_S)
        slot = stamp % SLOTS
        if self._stamps[slot] != stamp:
            if count < 0 or stamp < self._stamps[slot]:
                return
            self._stamps[slot] = stamp
            self._counts[slot] = 0
        self._counts[slot] += count

    def count(self, since: float, until: float) -> int:
        """Calls admitted between two moments, to the slot."""
        first, last = int(since / SLOT_S), int(until / SLOT_S)
        pairs = zip(self._stamps, self._counts, strict=True)
        return sum(count for stamp, count in pairs if first < stamp <= last)


@dataclass(slots=True)
class Pace:
    """A rate that begins at 97 % of what was accepted, rises by 1.5 % in 10 s and later searches for more.

    rate(t) = accepted * max(0.97 * (1 + 0.0015 t), 1 + 0.03 * (t / K - 1)^3): the second is the curve of CUBIC
    (RFC 9438), which finds a quota far above the first, poor measurement in a minute where the first alone takes half
    an hour. `accepted`: calls a second; t: seconds since `since`; K: `patience_s`, as long as the evidence behind the
    measurement (`firm`: long enough to trust it).
    """

    accepted: float
    since: float
    patience_s: float
    firm: bool = True

    def rate(self, now: float) -> float:
        """Calls a second at that moment."""
        age = max(0.0, now - self.since)
        search = age / self.patience_s - 1
        return self.accepted * max(SHARE * (1 + RISE * age), 1 + (1 - SHARE) * search * search * search)


class Pacer:
    """Watches rejections; after a cascade it holds the calls for a while and then paces them."""

    def __init__(self, now: float) -> None:
        self.window = Window()
        self.pace: Pace | None = None
        self.opens_at = now
        self.active = False
        self.events = 0
        self._began = now
        self._cut_at = float("-inf")
        self._cuts: list[float] = []
        self._score = 0.0
        self._noise = 0.0
        self._rejections = 0
        self._doubt_from = now
        self._loose = 0
        self._edges: deque[float] = deque(maxlen=3)
        self._measured = True
        self._looked_at = now
        self._bucket = Bucket(1.0, BURST, now)

    def __repr__(self) -> str:
        pace = f"{self._bucket.rate * 60:.0f} a minute" if self.pace else "none"
        return f"<Pacer pace {pace}, {self.events} events, noise {self._noise:.1f}>"

    def wait(self, now: float) -> float:
        """Seconds until a call may be admitted."""
        if not self.active:
            return 0.0
        if now < self.opens_at:
            return self.opens_at - now
        self._tune(now)
        return self._bucket.wait(1.0, now) if self.pace else 0.0

    def take(self, now: float) -> None:
        """A call is admitted."""
        self.window.add(now)
        if self.pace:
            self._bucket.take(1.0, now)

    def withdraw(self, started_at: float) -> None:
        """A call admitted then was not accepted, or never sent."""
        self.window.add(started_at, -1)

    def answered(self) -> None:
        """A call was accepted and answered: what was rejected before turns out to be noise, and noise is forgotten."""
        if self._score or self._noise:
            forgiven = min(self._score, FORGIVEN)
            self._score -= forgiven
            self._rejections *= self._score > 0
            self._noise = min(MOST_NOISE, max(0.0, self._noise + forgiven - FORGOTTEN))

    def rejected(self, started_at: float, now: float, cool_down: float | None) -> tuple[str, str] | None:
        """A call admitted then was rejected: (change, reason) of a new event, None for a stray one."""
        if started_at <= self._cut_at:
            self._hold(now, cool_down or 0.0)
            return None
        self._doubt_from = min(self._doubt_from, started_at) if self._rejections else started_at
        self._rejections += 1
        self._score += 1
        why = self._judge(now)
        return None if why is None else (self._cut(now, cool_down), why)

    def _judge(self, now: float) -> str | None:
        """Why this rejection is an event; None where it is noise."""
        admitted = self.window.count(self._doubt_from - SLOT_S, now)
        if self._score >= CASCADE and self._rejections >= CROWD * (admitted + self._rejections):
            self._edges.clear()
            return "rejections came one after the other"
        if self.pace and self._noise < NOISY and self._score >= self._doubts() and self._at_the_edge(now):
            return "rejected at a pace at the edge of what was accepted, and stray rejections were not seen before"
        return None

    def _at_the_edge(self, now: float) -> bool:
        """Whether the pace is as high as what the last firm measurements, averaged, found to be accepted.

        Averaged, so that strays, which follow the pace down, are told from a quota, which stays where it is.
        """
        return self.pace is not None and self.pace.rate(now) >= EDGE * sum(self._edges) / max(1, len(self._edges))

    def _doubts(self) -> float:
        """The score that counts at the edge: one rejection, or two in about eight calls where one led nowhere often."""
        return 1.0 if self._loose < MOST_LOOSE else 1.5

    def _cut(self, now: float, cool_down: float | None) -> str:
        self.events += 1
        self.active = True
        self._score, self._rejections = 0.0, 0
        self._cut_at = now
        self._cuts = [at for at in self._cuts if at > now - WINDOW_S] + [now]
        self._measured = False
        self._hold(now, self._untold(now) if cool_down is None else cool_down)
        return f"calls held for {self.opens_at - now:.1f} s, then paced"

    def _untold(self, now: float) -> float:
        """A short hold where the server did not say how long: five calls at the pace, at most a second."""
        return min(UNTOLD_COOL_DOWN_S, 5 / self.pace.rate(now)) if self.pace else UNTOLD_COOL_DOWN_S

    def _hold(self, now: float, seconds: float) -> None:
        self.opens_at = max(self.opens_at, now + min(seconds, LONGEST_COOL_DOWN_S))

    def _tune(self, now: float) -> None:
        """Measure once the calls of the event are all known, then follow the curve."""
        if not self._measured:
            self._measure(now)
        if self.pace is None:
            return
        rate = self.pace.rate(now)
        if now - self._looked_at >= 1.0:
            self._looked_at = now
            if self._is_idle(rate, now):
                self.pace, self.active = None, False
                return
        self._bucket.resize(rate, max(BURST, LATENESS_S * rate), now)

    def _is_idle(self, rate: float, now: float) -> bool:
        """Whether the pace is far above what was accepted and what is asked for: it holds nobody back."""
        assert self.pace is not None  # noqa: S101 - only asked while pacing
        known = self.pace.accepted if self.pace.firm else self.pace.accepted * SEARCH
        return rate > LIFTED * max(known, self.window.count(now - 10, now) / 10)

    def _measure(self, now: float) -> None:
        count, span = self._accepted()
        accepted = max(count, 1) / max(span, SLOT_S)
        firm = span >= min(FIRMEST_S, max(FIRM_S, FIRM_CALLS / accepted))
        if self.pace and span < ENOUGH_S and self._noise >= 2 * NOISY:
            # Too little was seen since, and it may have been strays: what was known before stands.
            accepted, firm = self.pace.accepted, self.pace.firm
        self._start(Pace(accepted, now, WINDOW_S if firm else max(span, SEARCH_S), firm), now)

    def _start(self, pace: Pace, now: float) -> None:
        self.pace, self._measured = pace, True
        self._loose = 0 if pace.firm else self._loose + 1
        if pace.firm:
            self._edges.append(pace.accepted)
        rate = pace.rate(now)
        self._bucket = Bucket(rate, max(BURST, LATENESS_S * rate), now)
        self._bucket.level = 0.0

    def _accepted(self) -> tuple[int, float]:
        """Calls accepted before the cut, and the seconds it took.

        From one cut to another, for a quota that was used up both times has let pass just what flowed in between.
        """
        count, since = 0, self._began
        for since in reversed(self._cuts[:-1] or [max(self._began, self._cut_at - WINDOW_S) - SLOT_S]):
            count = self.window.count(since, self._cut_at)
            if count >= ENOUGH_CALLS and self._cut_at - since >= ENOUGH_S:
                break
        return self._late(count, self._cut_at - since)

    def _late(self, count: int, span: float) -> tuple[int, float]:
        """The last seconds alone, where the pace had risen far from too low a start."""
        if self.pace is None or self.pace.rate(self._cut_at) < LIFTED * self.pace.accepted:
            return count, span
        for late in (2.5, 5.0, 10.0, 20.0):
            seen = self.window.count(self._cut_at - late, self._cut_at)
            if seen >= ENOUGH_CALLS and late < span:
                return max((count, span), (seen, late), key=lambda pair: pair[0] / max(pair[1], SLOT_S))
        return count, span
