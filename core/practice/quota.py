"""Requests and tokens per minute as hosted APIs limit them: token buckets, with the headers that tell of them."""

from __future__ import annotations

from dataclasses import dataclass

from core.practice.presets import Preset


@dataclass(slots=True)
class Bucket:
    """So many a minute, refilled evenly; it holds at most `size`."""

    per_minute: float
    size: float
    level: float
    at: float

    def refill(self, now: float) -> None:
        """Add what has come in since the last time."""
        self.level = min(self.size, self.level + max(now - self.at, 0.0) * self.per_minute / 60)
        self.at = now

    def wait(self, amount: float) -> float:
        """Seconds until that much is there; an amount larger than the bucket waits for a full one."""
        return max(min(amount, self.size) - self.level, 0.0) * 60 / self.per_minute


class Quota:
    """The preset's RPM and TPM; a rejected call uses up nothing."""

    def __init__(self, preset: Preset, now: float) -> None:
        limits = {"requests": preset.rpm, "tokens": preset.tpm}
        sizes = {name: max(limit * preset.burst_s / 60, 1.0) for name, limit in limits.items() if limit}
        self._buckets = {name: Bucket(limits[name] or 0, size, size, now) for name, size in sizes.items()}

    def admit(self, tokens: int, now: float) -> float:
        """Take one request of that many tokens: 0, or the seconds to wait when it must be rejected."""
        needs = {"requests": 1.0, "tokens": float(tokens)}
        for bucket in self._buckets.values():
            bucket.refill(now)
        wait = max((bucket.wait(needs[name]) for name, bucket in self._buckets.items()), default=0.0)
        if wait <= 0:
            for name, bucket in self._buckets.items():
                bucket.level -= needs[name]
        return wait

    def headers(self) -> dict[str, str]:
        """`x-ratelimit-*` as OpenAI writes them."""
        told: dict[str, str] = {}
        for name, bucket in self._buckets.items():
            told[f"x-ratelimit-limit-{name}"] = f"{bucket.per_minute:.0f}"
            told[f"x-ratelimit-remaining-{name}"] = f"{max(bucket.level, 0):.0f}"
            told[f"x-ratelimit-reset-{name}"] = f"{bucket.wait(bucket.size):.3f}s"
        return told
