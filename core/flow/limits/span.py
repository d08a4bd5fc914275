"""A number of calls between the operator's bounds: what every algorithm moves."""

from __future__ import annotations

from core.base.errors import ConfigError
from core.flow.gate import check_limit
from core.flow.limits.protocol import LimitChange


class Span:
    """A limit that stays within floor and ceiling (both inclusive), whoever wants what.

    Raises ConfigError for bounds that are no whole numbers of at least 1, or are the wrong way round.
    """

    __slots__ = ("ceiling", "floor", "limit")

    def __init__(self, start: int, floor: int = 1, ceiling: int = 1024) -> None:
        self.floor, self.ceiling = _checked(floor, ceiling)
        self.limit = self.clamp(check_limit(start, "start"))

    def __repr__(self) -> str:
        return f"<Span {self.limit} in {self.floor}..{self.ceiling}>"

    def clamp(self, wanted: float) -> int:
        """The nearest whole number within the bounds."""
        return max(self.floor, min(self.ceiling, round(wanted)))

    def move(self, wanted: float, reason: str, phase: str = "") -> LimitChange | None:
        """Go there, as far as the bounds allow; None where that changes nothing."""
        old, self.limit = self.limit, self.clamp(wanted)
        return None if self.limit == old else LimitChange(old, self.limit, reason, phase)

    def bound(self, floor: int, ceiling: int, phase: str = "") -> LimitChange | None:
        """Take new bounds; the change if the limit lay outside them."""
        self.floor, self.ceiling = _checked(floor, ceiling)
        return self.move(self.limit, f"The operator allows {floor} to {ceiling}.", phase)


def _checked(floor: int, ceiling: int) -> tuple[int, int]:
    check_limit(floor, "floor")
    check_limit(ceiling, "ceiling")
    if floor > ceiling:
        msg = f"The floor {floor} is above the ceiling {ceiling}; swap them or set both alike."
        raise ConfigError(msg)
    return floor, ceiling
