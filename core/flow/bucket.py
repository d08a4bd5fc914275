"""A token bucket that headers can correct. Pure arithmetic: every method is told the time (monotonic seconds)."""

from __future__ import annotations

TOLERANCE = 1e-9


class Bucket:
    """`rate` units a second flow in, `size` at most are kept.

    An amount larger than the bucket waits for a full one and leaves a debt, so that the long-run rate holds for any
    amounts. `mark()` and `correct()` take in what a server says was left right after one call, however long ago that
    call was: what came in and went out since is the same on both sides. What overflowed here meanwhile is not counted,
    which errs on the safe side.
    """

    __slots__ = ("at", "closed_until", "followed", "level", "rate", "shift", "size")

    def __init__(self, rate: float, size: float, now: float) -> None:
        self.rate = rate
        self.size = size
        self.level = size
        self.shift = 0.0
        self.at = now
        self.closed_until = float("-inf")
        self.followed = False

    def __repr__(self) -> str:
        return f"<Bucket {self.level:.1f}/{self.size:g}, {self.rate * 60:g} a minute>"

    def refill(self, now: float) -> None:
        """Add what has come in since the last time."""
        if now > self.at:
            self.level = min(self.size, self.level + (now - self.at) * self.rate)
            self.at = now

    def wait(self, amount: float, now: float) -> float:
        """Seconds until that much may be taken; 0 when it is there."""
        self.refill(now)
        missing = min(amount, self.size) - self.level
        wait = missing / self.rate if missing > TOLERANCE * self.size else 0.0
        return max(wait, self.closed_until - now)

    def take(self, amount: float, now: float) -> None:
        """Take that much, into debt where it must be."""
        self.refill(now)
        self.level -= amount

    def give(self, amount: float, now: float) -> None:
        """Put back what was taken and not used (negative: take what was used beyond)."""
        self.refill(now)
        self.level = min(self.size, self.level + amount)

    def resize(self, rate: float, size: float, now: float) -> None:
        """Change rate and size; the level stays, within the new size."""
        self.refill(now)
        self.rate, self.size = rate, size
        self.level = min(self.level, size)

    def mark(self) -> float:
        """The level as it would be without corrections: give it to `correct` with what the server said then."""
        return self.level - self.shift

    def correct(self, mark: float, remaining: float, now: float) -> None:
        """The server had `remaining` left at that mark: bring the level to what follows from it now."""
        self.refill(now)
        shift = remaining - mark
        self.level = min(self.size, self.level + shift - self.shift)
        self.shift = shift
        self.followed = True

    def lower(self, remaining: float, now: float) -> None:
        """The server has at most `remaining` left now."""
        self.refill(now)
        self.level = min(self.level, remaining)
