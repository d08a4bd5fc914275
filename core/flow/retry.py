"""When to try again, and how long to wait before it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full jitter: a wait drawn from 0 .. min(cap, base * 2^n) seconds before retry n (AWS, "Exponential Backoff And
    Jitter"). The waits of many callers spread instead of marching in step.

    Where calls take less than a second the base is half of what they take: a pause that is many calls long saves a
    server nothing that the breaker and the retry budget do not, and is missed at the end of a run."""

    base_s: float = 0.5
    least_s: float = 0.05
    cap_s: float = 20.0
    rng: random.Random = field(default_factory=random.Random)

    def wait(self, retry: int, latency_s: float = 0.0) -> float:
        """Seconds to wait before that retry (0 is the first); `latency_s`: what calls take there, 0 where unknown."""
        base = min(self.base_s, max(self.least_s, latency_s / 2)) if latency_s else self.base_s
        return self.rng.uniform(0.0, min(self.cap_s, base * 2.0 ** min(retry, 30)))


class RetryBudget:
    """Retries a run may spend: a share of its calls and a floor, so that a broken server is not hammered."""

    def __init__(self, share: float = 0.10, floor: int = 50) -> None:
        self.share = share
        self.floor = floor
        self.calls = 0
        self.retries = 0

    def __repr__(self) -> str:
        return f"<RetryBudget {self.retries}/{self.allowed} of {self.calls} calls>"

    @property
    def allowed(self) -> int:
        """Retries allowed so far."""
        return self.floor + int(self.share * self.calls)

    def call(self) -> None:
        """Count a first try."""
        self.calls += 1

    def spend(self) -> bool:
        """Take one retry; False when none is left."""
        if self.retries >= self.allowed:
            return False
        self.retries += 1
        return True
