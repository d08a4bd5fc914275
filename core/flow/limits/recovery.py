"""The way back after an outage: from a few calls to nearly the last good limit, three times as many each second."""

from __future__ import annotations

FIRST = 4
EVERY_S = 1.0
FASTER = 3
SHARE = 0.9


class Recovery:
    """Remembers the last good limit while nobody answers, and leads back to nine tenths of it."""

    __slots__ = ("_at", "good", "on")

    def __init__(self) -> None:
        self.good = 0
        self.on = False
        self._at = float("inf")

    def __repr__(self) -> str:
        return f"<Recovery to {self.goal}>" if self.on else "<Recovery not needed>"

    @property
    def goal(self) -> int:
        """The limit at which it ends."""
        return max(1, round(SHARE * self.good))

    def down(self, limit: int) -> None:
        """Nobody answers. A relapse does not forget what was good before."""
        self.good = max(self.good, limit) if self.on else limit
        self.on = True
        self._at = float("inf")

    def up(self, at: float) -> int:
        """Somebody answers: the limit to begin with."""
        self._at = at
        return min(FIRST, self.goal)

    def next(self, at: float, limit: int) -> int | None:
        """The next limit, when a second has passed without a relapse."""
        if not self.on or at < self._at + EVERY_S:
            return None
        self._at = at
        return min(FASTER * limit, self.goal)

    def end(self) -> int:
        """It is over: the last good limit."""
        self.on = False
        return self.good
