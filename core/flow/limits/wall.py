"""Remembers where a server rejected calls as too many at once, and when that may be tried again."""

from __future__ import annotations

AGAIN_S = 90.0
PATIENCE = 1.5
MOST_PATIENCE = 6.0


class Wall:
    """The most calls that a server took, for a while; longer each time it is met again."""

    __slots__ = ("_patience", "_room", "_until")

    def __init__(self) -> None:
        self._room: int | None = None
        self._until = 0.0
        self._patience = 1.0

    def __repr__(self) -> str:
        return f"<Wall at {self._room}>"

    def hit(self, at: float, room: int) -> int:
        """More than `room` were rejected: the room there is."""
        self._room = max(1, room)
        self._until = at + AGAIN_S * self._patience
        self._patience = min(MOST_PATIENCE, PATIENCE * self._patience)
        return self._room

    def at(self, now: float) -> int | None:
        """The room known; None where nothing is known (any more)."""
        if self._room is not None and now >= self._until:
            self._room = None
        return self._room
