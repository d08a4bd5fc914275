"""Patience: how long to wait for something, learned from how long it took before. Pure arithmetic."""

from __future__ import annotations

import math

FLOOR_S = 5.0
FACTOR = 3.0
ENOUGH = 100
# What another stage of the same model took is a rougher guide than what this one took.
ON_LOAN = 2.0
REMEMBERED = 4096
_SHARE_BEYOND = 0.001
_STEP = math.log(1.05)
_SHORTEST_S = 1e-3
_EVERY = 32
# What was granted in doubt is halved again every so many answers: by then a slower server shows in the histogram.
PROBATION = 128
# Three calls cut with hardly an answer between them are a slower server; one in four or fewer are hangs.
_TOO_MANY = 3.0
_FORGIVEN = 0.25


Key = tuple[str, str]


class Patience:
    """max(floor, factor x p99.9), at most the ceiling the caller gives, per key: a stage and its model.

    Before `enough` answers of a key it borrows from the stage of the same model that takes longest: twice that, and
    more where its calls are larger (`size`, say the tokens that may be written). With nothing to borrow the ceiling
    holds. Report each answer with `answered` and each call cut by this very timeout with `timed_out`: so a server that
    became slower than the timeout is noticed, and not starved of the answers that would teach it. Times are seconds.
    """

    def __init__(self, *, floor_s: float = FLOOR_S, factor: float = FACTOR, enough: int = ENOUGH) -> None:
        self.floor_s = floor_s
        self.factor = factor
        self.enough = enough
        self._learned: dict[Key, _Learned] = {}

    def __repr__(self) -> str:
        known = ", ".join(f"{key}: {learned}" for key, learned in self._learned.items())
        return f"<Patience {known or 'nothing seen yet'}>"

    def seconds(self, key: Key, ceiling: float, size: float = 1.0) -> float:
        """How long to wait for the next call of that key and size."""
        learned = self._learned.get(key)
        tail = self._tail(learned, key, size)
        slack = learned.slack if learned else 1.0
        return min(ceiling, max(self.floor_s, self.factor * tail) * slack) if tail else ceiling

    def _tail(self, learned: _Learned | None, key: Key, size: float) -> float:
        """Its own p99.9; before that is known what was borrowed, or its own longest; 0 with nothing to go by."""
        own = learned.tail if learned else 0.0
        if learned and learned.seen >= self.enough:
            return own
        lent = self._lent(key, size)
        return max(ON_LOAN * lent, own) if lent else 0.0

    def _lent(self, key: Key, size: float) -> float:
        """The longest tail of another stage of that model, as it would be for calls of that size; 0 without one."""
        lenders = [one for other, one in self._learned.items() if other[1] == key[1] and one.seen >= self.enough]
        return max((one.tail * max(1.0, size / one.size) for one in lenders), default=0.0)

    def answered(self, key: Key, seconds: float, size: float = 1.0) -> bool:
        """Learn from an answer that took so long; True where a deadline may be another one from now on."""
        learned = self._of(key)
        before = learned.size, learned.tail, learned.slack
        learned.size = max(learned.size, size)
        learned.add(seconds)
        return learned.seen == self.enough or (learned.size, learned.tail, learned.slack) != before

    def timed_out(self, key: Key, after: float, size: float = 1.0) -> tuple[str, str] | None:
        """Count a call cut after so many seconds; (change, reason) when that widens the timeout."""
        if after < 0.99 * self.seconds(key, math.inf, size) or not self._of(key).cut():
            return None
        change = f"timeout of {key} {after:.1f} -> {self.seconds(key, math.inf, size):.1f} s"
        return change, "calls were cut one after the other: the server is slower than before, not hanging"

    def reason(self, key: Key, ceiling: float, size: float = 1.0) -> str:
        """Why the timeout is what it is, for the operator."""
        learned, seconds = self._learned.get(key), self.seconds(key, ceiling, size)
        if learned and learned.seen >= self.enough:
            return f"{seconds:.1f} s: {self.factor:g} x the p99.9 of {learned.tail:.2f} s."
        few = f"only {learned.seen if learned else 0} of {self.enough} answers seen"
        if lent := self._lent(key, size):
            return f"{seconds:.1f} s: {ON_LOAN * self.factor:g} x the p99.9 of {lent:.2f} s of another stage; {few}."
        return f"{ceiling:.1f} s, as set: {few}."

    def _of(self, key: Key) -> _Learned:
        found = self._learned.get(key)
        if found is None:
            found = self._learned[key] = _Learned()
        return found


class _Learned:
    """A histogram over steps of 5 %, halved when full so that the old fades, with its p99.9 kept at hand."""

    __slots__ = ("_count", "_counts", "_strain", "seen", "size", "slack", "tail")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._count = 0
        self._strain = 0.0
        self.seen = 0
        self.size = 1.0
        self.tail = 0.0
        self.slack = 1.0

    def __repr__(self) -> str:
        return f"p99.9 {self.tail:.2f} s of {self.seen}"

    def add(self, seconds: float) -> None:
        seconds = seconds if seconds > _SHORTEST_S else _SHORTEST_S
        step = math.ceil(math.log(seconds) / _STEP)
        self._counts[step] = self._counts.get(step, 0) + 1
        self._count += 1
        self.seen += 1
        if self._strain:
            self._strain = max(0.0, self._strain - _FORGIVEN)
        if self.slack > 1 and not self.seen % PROBATION:
            self.slack = max(1.0, self.slack / 2)
        # A new longest shows at once, the rest every so often.
        if seconds > self.tail or not self.seen % _EVERY:
            self._look()

    def _look(self) -> None:
        if self._count >= REMEMBERED:
            self._fade()
        before, left = self.tail, _SHARE_BEYOND * self._count
        for step in sorted(self._counts, reverse=True):
            left -= self._counts[step]
            if left <= 0:
                self.tail = math.exp(step * _STEP)
                break
        # A longer tail takes the place of what was granted in doubt.
        self.slack = max(1.0, self.slack * before / self.tail) if before else 1.0

    def _fade(self) -> None:
        self._counts = {step: count // 2 for step, count in self._counts.items() if count > 1}
        self._count = sum(self._counts.values())

    def cut(self) -> bool:
        """Count a cut; True when the slack was doubled for it."""
        self._strain += 1
        if self._strain < _TOO_MANY:
            return False
        self._strain = 0.0
        self.slack *= 2
        return True
