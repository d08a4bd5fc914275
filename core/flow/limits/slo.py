"""Guards a latency target: too many late answers among the last hundred are not chance."""

from __future__ import annotations

import math
from collections import deque

RECENT = 100
SHARE = 0.05
SIGMAS = 2.0
ENOUGH = 40


class SloGuard:
    """Counts answers later than the target, of calls sent since the last cut: one cut per event."""

    __slots__ = ("_recent", "_since", "slo_s")

    def __init__(self, slo_s: float) -> None:
        self.slo_s = slo_s
        self._recent: deque[bool] = deque(maxlen=RECENT)
        self._since = float("-inf")

    def __repr__(self) -> str:
        return f"<SloGuard {self.slo_s:g} s: {sum(self._recent)} of {len(self._recent)} late>"

    def late(self, started_at: float, ended_at: float) -> str | None:
        """Take in an answer; the sentence that calls for a cut, or None."""
        if started_at <= self._since:
            return None
        self._recent.append(ended_at - started_at > self.slo_s)
        seen, late = len(self._recent), sum(self._recent)
        allowed = SHARE * seen + SIGMAS * math.sqrt(SHARE * (1 - SHARE) * seen)
        if seen < ENOUGH or late <= allowed:
            return None
        self.since(ended_at)
        return f"{late} of the last {seen} answers took longer than {self.slo_s:g} s (5 % may)."

    def since(self, at: float) -> None:
        """Begin anew: the limit was changed then."""
        self._recent.clear()
        self._since = at
