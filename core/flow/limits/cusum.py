"""Notices that a server has become slower or faster for good: a two-sided CUSUM (Page, 1954) on log latencies."""

from __future__ import annotations

import math

from core.flow.limits.point import Point, pool

DRIFT = 0.06
ALARM = 0.25
# Noisy measurements need more room: in standard errors of one of them.
DRIFT_ERRORS = 1.0
ALARM_ERRORS = 5.0
# Calls that make up a reference.
REFERENCE = 300


class Cusum:
    """Sums up log(latency / reference) beyond a drift; each side alarms on its own.

    The first measurements make up the reference: one alone would be as uncertain as what is compared with it.
    """

    __slots__ = ("_faster", "_reference", "_slower")

    def __init__(self, reference: Point) -> None:
        self._reference = reference
        self._slower = self._faster = 0.0

    def __repr__(self) -> str:
        return f"<Cusum of {self._reference.latency_s:.2f} s: slower {self._slower:.2f}, faster {self._faster:.2f}>"

    @property
    def reference(self) -> Point:
        """What measurements are compared with: the first ones together."""
        return self._reference

    def add(self, point: Point) -> str | None:
        """Take in a measurement at the reference's limit; what an alarm says, in a sentence."""
        was = self._reference
        takes = point.in_flight / point.rate(point.tokens, point.work)
        expected = point.in_flight / was.rate(point.tokens, point.work)
        change = math.log(takes / expected)
        error = math.hypot(point.error, was.error)
        drift, alarm = max(DRIFT, DRIFT_ERRORS * error), max(ALARM, ALARM_ERRORS * error)
        self._slower = max(0.0, self._slower + change - drift)
        self._faster = max(0.0, self._faster - change - drift)
        if max(self._slower, self._faster) > alarm:
            word = "slower" if change > 0 else "faster"
            return f"The server has become {word}: a call takes {takes:.2f} s, {expected:.2f} s before."
        if was.samples < REFERENCE and abs(change) < ALARM:
            self._reference = pool(was, point)
        return None
