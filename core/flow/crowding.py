"""How many calls an endpoint takes at once, learned from those it rejects. Pure arithmetic.

A server that rejects what its seats and its queue cannot hold takes the next call as soon as another ends: it wants
fewer calls at once, neither a pause nor a pace. Every method is told the time (monotonic seconds).
"""

from __future__ import annotations

# Rejections less a fifteenth of the answers, as for the pace of a quota: one in thirty slows nobody.
CASCADE = 5.0
FORGIVEN = 1 / 15
# Calls within the room that are rejected all the same: the server is smaller now, or it is not the crowd at all.
DOUBTS = 3.0
SMALLER = 0.7
# A larger room is tried after so many answers of a full one; a try that fails doubles them.
FIRST_TRY = 64
LAST_TRY = 1024
LEAST_CLEAN = 16
# How long a server is taken for one with a quota after crowding explained nothing; doubled each time.
DISBELIEF_S = 60.0
LONGEST_DISBELIEF_S = 3600.0


class Crowding:
    """`room`: the most calls to have in flight there (None: nothing is known against any number).

    Report each call with `sent`, each answer with `answered` and each rejection that no quota explains with `rejected`.
    A rejection is `spoken` when the server speaks of calls at once or of a full queue. Where it does not, crowding is
    believed as long as it explains what is seen: within the room nothing may be rejected.
    """

    def __init__(self) -> None:
        self.room: int | None = None
        self.reason = "No rejection has spoken of too many calls at once."
        self._known = 0
        self._score = 0.0
        self._cut_at = self._raised_at = self._full_at = float("-inf")
        self._step = 1
        self._clean = 0
        self._wait = self._patience = FIRST_TRY
        self._disbelief_s = DISBELIEF_S
        self._disbelieved_until = float("-inf")

    def __repr__(self) -> str:
        return f"<Crowding room {self.room or 'not limited'}, score {self._score:.1f}>"

    def sent(self, now: float, in_flight: int) -> None:
        """A call was sent, itself counted in `in_flight`: a room that is never full is not tried."""
        if self.room is not None and in_flight >= self.room:
            self._full_at = now

    def answered(self, started_at: float) -> bool:
        """A call that began then was answered; True when the room grew."""
        self._score = max(0.0, self._score - FORGIVEN)
        if self.room is None or not self._raised_at <= started_at <= self._full_at:
            return False
        self._clean += 1
        return self._clean >= self._wait and self._grow(self.room)

    def _grow(self, room: int) -> bool:
        """Try a larger room; one that held is known to be there, and the next try is bolder."""
        held = room > self._known
        self._step = 2 * self._step if held else 1
        self._patience = FIRST_TRY if held else self._patience
        self._known, self.room = room, room + self._step
        self._clean, self._wait = 0, max(LEAST_CLEAN, 2 * self.room)
        self._raised_at = self._full_at
        self.reason = f"{room} calls at once were taken for a while: {self.room} are tried."
        return True

    def rejected(self, started_at: float, now: float, others: int, *, spoken: bool) -> bool:
        """A call that began then was rejected while so many others were in flight. False where crowding is not why."""
        if self.room is None:
            return self._first(now, others, spoken)
        if started_at <= self._cut_at:
            self._shrink(min(self.room, others))
            return True
        return self._fall_back(now, self.room) if self.room > self._known else self._doubt(now, others, spoken)

    def _first(self, now: float, others: int, spoken: bool) -> bool:
        """Count towards a cascade; what did not speak of the crowd may be a quota's until there is one."""
        if not spoken and now < self._disbelieved_until:
            return False
        self._score += 1
        if self._score < CASCADE:
            return spoken
        self._cut(now, others, f"Calls were rejected with {others} others in flight: no more are sent at once.")
        return True

    def _fall_back(self, now: float, tried: int) -> bool:
        """The larger room is not there; it is tried again later each time."""
        self._cut(now, self._known, f"{tried} calls at once were too many: {self._known} again.")
        self._patience = min(LAST_TRY, 2 * self._patience)
        self._wait = self._patience
        return True

    def _doubt(self, now: float, others: int, spoken: bool) -> bool:
        """Rejected within the room: noise, until it becomes a habit."""
        self._score += 1
        if self._score < DOUBTS:
            return True
        if not spoken:
            self._disbelieve(now)
            return False
        smaller = min(others, int(self._known * SMALLER))
        self._cut(now, smaller, f"Calls were rejected with {others} others in flight: fewer are sent.")
        return True

    def _cut(self, now: float, room: int, reason: str) -> None:
        self._cut_at = now
        self._score = 0.0
        self._step, self._clean, self._wait = 1, 0, self._patience
        self.reason = reason
        self._shrink(room)

    def _shrink(self, room: int) -> None:
        self.room = self._known = max(1, room)

    def _disbelieve(self, now: float) -> None:
        self.room = None
        self._score = 0.0
        self._disbelieved_until = now + self._disbelief_s
        self._disbelief_s = min(LONGEST_DISBELIEF_S, 2 * self._disbelief_s)
        self.reason = "Fewer calls at once were rejected as well: it is a quota."
