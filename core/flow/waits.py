"""The three deadlines of a model call, each as its stage sets it or, sooner, as learned from the calls before."""

from __future__ import annotations

from dataclasses import dataclass

from core.flow.patience import Key, Patience

FIRST_BYTE_FLOOR_S = 5.0
# A server that reads another caller's long prompt writes nothing to anyone meanwhile.
IDLE_FLOOR_S = 10.0
IDLE_S = 30.0


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds: in all, until the first byte of a streamed answer, and between two of its pieces."""

    total: float
    first_byte: float
    idle: float


@dataclass(frozen=True, slots=True)
class Took:
    """How long the parts of an answered call took, in seconds; None where it was not streamed."""

    total: float
    first_byte: float | None = None
    idle: float | None = None


class StagePatience:
    """The deadlines of each stage's calls on each model. `size`: the most tokens a call may write.

    What was granted is granted again until something is learned that changes it: most answers teach nothing new.
    """

    def __init__(self, enough: int | None = None) -> None:
        more = {} if enough is None else {"enough": enough}
        self.total = Patience(**more)
        self.first_byte = Patience(floor_s=FIRST_BYTE_FLOOR_S, **more)
        self.idle = Patience(floor_s=IDLE_FLOOR_S, **more)
        self._granted: dict[tuple[str, str, Waits, int], Waits] = {}

    def __repr__(self) -> str:
        return f"<StagePatience total {self.total!r}, first byte {self.first_byte!r}, idle {self.idle!r}>"

    def waits(self, stage: str, model: str, ceiling: Waits, size: int) -> Waits:
        """How long to wait for the next call; no part of it longer than the ceiling, or than the whole."""
        asked = stage, model, ceiling, size
        granted = self._granted.get(asked)
        if granted is None:
            granted = self._granted[asked] = self._grant((stage, model), ceiling, size)
        return granted

    def _grant(self, key: Key, ceiling: Waits, size: int) -> Waits:
        total = self.total.seconds(key, ceiling.total, size)
        first = self.first_byte.seconds(key, ceiling.first_byte)
        return Waits(total, min(total, first), min(total, self.idle.seconds(key, ceiling.idle)))

    def answered(self, stage: str, model: str, took: Took, size: int) -> None:
        """Learn from a call that was answered."""
        key = stage, model
        news = self.total.answered(key, took.total, size)
        if took.first_byte is not None:
            news |= self.first_byte.answered(key, took.first_byte)
        if took.idle is not None:
            news |= self.idle.answered(key, took.idle)
        if news:
            self._granted.clear()

    def timed_out(self, stage: str, model: str, late: str, waits: Waits, size: int) -> tuple[str, str] | None:
        """Count a call cut by one of its deadlines (total, first_byte, idle); (change, reason) when that widens it."""
        change = self._timed_out((stage, model), late, waits, size)
        if change is not None:
            self._granted.clear()
        return change

    def _timed_out(self, key: Key, late: str, waits: Waits, size: int) -> tuple[str, str] | None:
        if late == "total":
            return self.total.timed_out(key, waits.total, size)
        if late == "first_byte":
            return self.first_byte.timed_out(key, waits.first_byte)
        return self.idle.timed_out(key, waits.idle) if late == "idle" else None
