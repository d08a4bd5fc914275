"""Tells rejections that mean "too many at once" from stray ones, and counts one event per cascade."""

from __future__ import annotations

from core.base.records import Outcome
from core.flow.limits.protocol import Sample

# Five rejections less a fifteenth of the answers, as for the pace of a quota: strays of three in a hundred get there
# once in some ten thousand calls.
CASCADE = 5.0
FORGIVEN = 1 / 15
# .. if they are also a tenth of the calls sent since, or under way then: in a burst answers are slower than rejections.
CROWD = 0.1


class Cascade:
    """Scores busy rejections against answers.

    `hit` says when they are an event, once: rejections of calls that began before the last cut only belong to it.
    `room` is then the number of calls that the server did take, as far as the rejections tell.
    """

    __slots__ = ("_count", "_crowd", "_cut_at", "_flight", "_lowest", "_score", "events")

    def __init__(self) -> None:
        self.events = 0
        self._cut_at = float("-inf")
        self._lowest = 0
        self._score = 0.0
        self._count = self._crowd = self._flight = 0

    def __repr__(self) -> str:
        return f"<Cascade {self._score:.1f}, {self.events} events>"

    @property
    def room(self) -> int:
        """One below the fewest calls in flight at which one of this cascade was rejected."""
        return max(1, self._lowest - 1)

    def sent(self, in_flight: int) -> None:
        """A call was sent; `in_flight` counts it."""
        self._crowd += 1
        self._flight = in_flight

    def hit(self, sample: Sample) -> bool:
        """Take in a call; True when it makes a cascade, which the caller then answers with one cut."""
        if sample.outcome is Outcome.SUCCESS:
            self._score = max(0.0, self._score - FORGIVEN)
        if sample.outcome is not Outcome.OVERLOAD or not sample.busy or sample.started_at <= self._cut_at:
            return False
        if not self._score:
            self._count, self._crowd, self._lowest = 0, self._flight, sample.in_flight
        self._lowest = min(self._lowest, sample.in_flight)
        self._count += 1
        self._score += 1
        crowded = self._score >= CASCADE and self._count >= CROWD * self._crowd
        return crowded and self._cut(sample.ended_at)

    def _cut(self, at: float) -> bool:
        self.events += 1
        self._cut_at = at
        self._score = 0.0
        return True
