"""One resource's algorithm on the wire: facts in, and whoever applies its limits is told of each change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.flow.limits import Gauges, KneeLimit, Limit, LimitChange, Sample
from core.pipeline.sizing import Sizing

Algorithm = Callable[[Sizing, int], Limit]


def knee(sizing: Sizing, start: int) -> Limit:
    """The search for the knee, from a limit on."""
    return KneeLimit(sizing.within(start), sizing.floor, sizing.ceiling, sizing.slo_p95_s)


@dataclass(frozen=True, slots=True)
class Moved:
    """A limit that changed: wall seconds, whose it is ('' is the whole resource), what, why, and who did it."""

    at: float
    resource: str
    endpoint: str
    change: LimitChange
    who: str


class Controller:
    """Feeds an algorithm; `moved` is called with every change, which is in force in `limit` by then."""

    __slots__ = ("_algorithm", "_moved")

    def __init__(self, algorithm: Limit, moved: Callable[[LimitChange], None]) -> None:
        self._algorithm = algorithm
        self._moved = moved

    def __repr__(self) -> str:
        return f"<Controller {self._algorithm!r}>"

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return self._algorithm.limit

    def started(self, at: float, in_flight: int) -> None:
        """A call was sent."""
        self._algorithm.started(at, in_flight)

    def ended(self, sample: Sample) -> None:
        """A call came back."""
        self._follow(self._algorithm.ended(sample))

    def tick(self, at: float, in_flight: int, waiting: int) -> None:
        """A second has passed."""
        self._follow(self._algorithm.tick(at, in_flight, waiting))

    def down(self, at: float) -> None:
        """The breaker opened."""
        self._follow(self._algorithm.down(at))

    def up(self, at: float) -> None:
        """The breaker closed."""
        self._follow(self._algorithm.up(at))

    def gauges(self, gauges: Gauges) -> None:
        """What the server says of itself."""
        self._follow(self._algorithm.gauges(gauges))

    def bound(self, at: float, floor: int, ceiling: int) -> None:
        """Other bounds by the operator."""
        self._follow(self._algorithm.bound(at, floor, ceiling))

    def _follow(self, change: LimitChange | None) -> None:
        if change is not None:
            self._moved(change)
