"""Whether a server says of itself that more calls only wait in its own queue, or push others out of its memory."""

from __future__ import annotations

from core.flow.limits.protocol import Gauges

STEADY = 3


class Queueing:
    """A queue that stays, or preemptions that go on, for three readings."""

    __slots__ = ("_preemptions", "_rising", "_waiting")

    def __init__(self) -> None:
        self._waiting = self._rising = 0
        self._preemptions: float | None = None

    def __repr__(self) -> str:
        return f"<Queueing: {self._waiting} readings with a queue, {self._rising} with preemptions>"

    def add(self, gauges: Gauges) -> float:
        """Take in a reading: how many wait there (at least 1 where calls are preempted), 0 while that may pass."""
        self._waiting = self._waiting + 1 if gauges.waiting > 0 else 0
        before, self._preemptions = self._preemptions, gauges.preemptions
        self._rising = self._rising + 1 if before is not None and gauges.preemptions > before else 0
        if max(self._waiting, self._rising) < STEADY:
            return 0.0
        return max(1.0, gauges.waiting)

    def reset(self) -> None:
        """Another limit: what was read before says nothing of it."""
        self._waiting = self._rising = 0
