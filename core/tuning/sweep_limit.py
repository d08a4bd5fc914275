"""The limit of a sweep: it goes from one limit of a schedule to the next, each measured by a cohort of calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, log2

from core.flow.limits import Gauges, LimitChange, Point, Sample
from core.flow.limits.cohort import Cohort, Lengths
from core.flow.limits.span import Span
from core.tuning.sweep import Curve, Measured, fit, grows

FIRST = 4  # where a sweep without a grid begins
BOLD = 0.75  # gain per doubling above which the next stride is fourfold
FLAT = 0.07  # gain per doubling below which there is nothing more to be had
AIM = 0.97  # of the best rate: just above the knee, so that it lies between two measurements
CLOSE = 1.15  # limits nearer to each other than this are not told apart
REFINED = 2
TRIES = 3  # cohorts at one limit whose calls fail or are too few

Following = Callable[[Sequence[Point]], int | None]


class SweepLimit:
    """Measures every limit that `following` names after the points so far, until it names none.

    `points` are the measurements, `finished` says that there will be no more, and `why` then says what cut it short
    ('' where nothing did).
    """

    def __init__(self, following: Following, floor: int, ceiling: int) -> None:
        self._following = following
        self._lengths = Lengths()
        self._points: list[Point] = []
        first = following(())
        self._span = Span(first or floor, floor, ceiling)
        self._cohort = Cohort(self._span.limit)
        self.finished = first is None
        self.why = ""

    def __repr__(self) -> str:
        return f"<SweepLimit {self._span!r}, {len(self._points)} points, {self._cohort!r}>"

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return self._span.limit

    @property
    def points(self) -> tuple[Point, ...]:
        """What was measured, in order of time."""
        return tuple(self._points)

    def bound(self, at: float, floor: int, ceiling: int) -> LimitChange | None:
        """Other bounds move the limit, and what is measured begins anew there."""
        change = self._span.bound(floor, ceiling, "sweep")
        if change is not None:
            self._cohort = Cohort(self.limit, after=at)
        return change

    def started(self, at: float, in_flight: int) -> None:
        """A call was sent."""
        self._cohort.started(at)

    def ended(self, sample: Sample) -> LimitChange | None:
        """A call came back: it may complete a measurement."""
        if self.finished:
            return None
        self._lengths.add(sample.output_tokens)
        point = self._cohort.ended(sample, self._lengths)
        if point is not None:
            return self._measured(point)
        if self._cohort.void >= TRIES:
            self._give_up()
        return None

    def _measured(self, point: Point) -> LimitChange | None:
        self._points.append(point)
        goal = self._following(self._points)
        if goal is None or self._span.clamp(goal) == point.limit:
            self.finished = True
            return None
        told = f"{point.limit} gives {point.calls_per_s:.1f} calls/s with a p95 of {point.p95_s:.1f} s."
        change = self._span.move(goal, f"Sweep: {told} Next {goal}.", "sweep")
        self._cohort = Cohort(self.limit, after=point.at)
        return change

    def _give_up(self) -> None:
        self.finished = True
        self.why = (
            f"Limit {self.limit} could not be measured: most calls failed there, or fewer than three quarters of it "
            "were ever in flight (a quota, or too little other work, holds them back)."
        )

    def tick(self, at: float, in_flight: int, waiting: int) -> LimitChange | None:
        """Time changes nothing."""
        return None

    def down(self, at: float) -> LimitChange | None:
        """What fails now says nothing of the limit."""
        return None

    def up(self, at: float) -> LimitChange | None:
        """It answers again: the measurement begins anew, behind those that settle."""
        self._cohort = Cohort(self.limit, after=at)
        return None

    def gauges(self, gauges: Gauges) -> LimitChange | None:
        """A sweep measures the server from outside."""
        return None


def schedule_limit(
    limits: Sequence[int], floor: int, ceiling: int, slo_p95_s: float | None, *, known: Sequence[Measured] = ()
) -> SweepLimit:
    """The limit of a sweep over a grid; without one over few limits, dense around the knee. known: measured before."""
    if limits:
        grid = tuple(sorted(limits))
        return SweepLimit(lambda points: grid[len(points)] if len(points) < len(grid) else None, floor, ceiling)
    return SweepLimit(lambda points: following([*known, *points], floor, ceiling, slo_p95_s), floor, ceiling)


def following(points: Sequence[Measured], floor: int, ceiling: int, slo_p95_s: float | None) -> int | None:
    """The limit to measure next where there is no grid: up while that pays, then at most two around the knee."""
    if not points:
        return max(floor, min(FIRST, ceiling))
    ordered = sorted({p.limit: p for p in points}.values(), key=lambda p: p.limit)
    last = ordered[-1]
    is_late = slo_p95_s is not None and last.p95_s > slo_p95_s
    if not is_late and last.limit < ceiling and (len(ordered) < 2 or grows(ordered, FLAT)):
        return min(ceiling, last.limit * _stride(ordered))
    climbed = sum(1 for n, p in enumerate(points) if p.limit == max(q.limit for q in points[: n + 1]))
    if len(points) - climbed >= REFINED:
        return None
    return _around(ordered, fit(ordered), slo_p95_s)


def _stride(points: Sequence[Measured]) -> int:
    """Four while nearly all that is added pays, else two."""
    if len(points) < 2:
        return 2
    low, high = points[-2:]
    gain = (high.calls_per_s / low.calls_per_s) ** (1 / log2(high.limit / low.limit)) - 1
    return 4 if gain > BOLD else 2


def _around(points: Sequence[Measured], curve: Curve | None, slo_p95_s: float | None) -> int | None:
    """Between the last limit that is too low and the first that is enough; with a target, where that is reached."""
    goals = [] if curve is None else [ceil(curve.reaching(AIM))]
    if slo_p95_s is not None:
        goals.insert(0, _late_from(points, slo_p95_s))
    return next((goal for goal in goals if _is_new(points, goal)), None)


def _late_from(points: Sequence[Measured], slo_p95_s: float) -> int:
    """Where p95 reaches the target, straight between a limit that meets it and one that does not; 0 without both."""
    low = max((p for p in points if p.p95_s <= slo_p95_s), key=lambda p: p.limit, default=None)
    high = min((p for p in points if p.p95_s > slo_p95_s), key=lambda p: p.limit, default=None)
    if low is None or high is None or high.limit < low.limit:
        return 0
    share = (slo_p95_s - low.p95_s) / (high.p95_s - low.p95_s)
    return int(low.limit + share * (high.limit - low.limit))


def _is_new(points: Sequence[Measured], goal: int) -> bool:
    """Whether it lies inside what was measured, and near nothing of it."""
    inside = points[0].limit < goal < points[-1].limit
    return inside and all(max(p.limit, goal) > CLOSE * min(p.limit, goal) for p in points)
