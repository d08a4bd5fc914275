"""A simulated endpoint: calls share its speed, so that a virtual clock per endpoint says which of them ends when.

All calls in flight progress at the same pace 1 / slowdown(n), which changes whenever one comes or goes; a call ends
when the virtual clock has moved on by its work (generalised processor sharing). Cost per event: O(log n).
"""

from __future__ import annotations

import heapq
from math import inf
from typing import Any

from core.flow.bucket import Bucket
from core.flow.rates import BURST_S
from core.tuning.scenario import Place

SMOOTHING = 0.2


class Server:
    """One endpoint under way. `held` counts the seats taken, also by calls that are being recorded or waited for;
    `next_at` is when the next call ends."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.held = 0
        self.running = 0
        self.latency_s = 0.0
        self.next_at = inf
        self._area = self._squares = 0.0
        self._virtual = 0.0
        self._at = 0.0
        self._pace = 1.0
        self._calls: list[tuple[float, int, Any, float]] = []
        self._sequence = 0
        self._paces: dict[int, float] = {}
        self._quotas = [
            (kind, Bucket(limit / 60, max(1.0, limit / 60 * BURST_S), 0.0))
            for kind, limit in (("requests", place.rpm), ("tokens", place.tpm))
            if limit
        ]

    @property
    def full(self) -> bool:
        """Whether every seat is taken."""
        return self.place.limit is not None and self.held >= self.place.limit

    @property
    def metered(self) -> bool:
        """Whether there is a quota to wait for."""
        return bool(self._quotas)

    @property
    def load(self) -> float:
        """What the pool compares: the busy share of its own limit, or the calls there at its latency."""
        if self.place.limit is not None:
            return self.held / self.place.limit
        return (self.held + 1) * (self.latency_s or 1.0)

    def quota_wait(self, tokens: float, now: float) -> float:
        """Seconds until its quota lets such a call pass."""
        return max((b.wait(_amount(kind, tokens), now) for kind, b in self._quotas), default=0.0)

    def charge(self, tokens: float, now: float) -> None:
        """Take a call from the quota."""
        for kind, bucket in self._quotas:
            bucket.take(_amount(kind, tokens), now)

    @property
    def crowd(self) -> float:
        """How many calls a call saw in flight, itself included: the mean over the calls' own time."""
        return self._squares / self._area if self._area else 1.0

    def start(self, call: Any, work: float, now: float) -> None:
        """Put a call on the server."""
        self._advance(now)
        self._sequence += 1
        heapq.heappush(self._calls, (self._virtual + work, self._sequence, call, now))
        self._resize(1)

    def end(self, now: float) -> Any:
        """Take off the call that ends now."""
        self._advance(now)
        self._virtual, _, call, began = heapq.heappop(self._calls)
        self._resize(-1)
        seconds = now - began
        old = self.latency_s or seconds
        self.latency_s = old + SMOOTHING * (seconds - old)
        return call

    def _advance(self, now: float) -> None:
        self._virtual += (now - self._at) * self._pace
        self._area += (now - self._at) * self.running
        self._squares += (now - self._at) * self.running * self.running
        self._at = now

    def _resize(self, change: int) -> None:
        self.running += change
        pace = self._paces.get(self.running)
        if pace is None:
            pace = self._paces[self.running] = 1.0 / self.place.speed.slowdown(max(self.running, 1))
        self._pace = pace
        self.next_at = self._at + (self._calls[0][0] - self._virtual) / pace if self._calls else inf


def _amount(kind: str, tokens: float) -> float:
    return 1.0 if kind == "requests" else tokens
