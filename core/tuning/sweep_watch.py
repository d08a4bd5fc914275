"""A sweep's limit, watched: each measurement is told as soon as it is there, with what else happened at that limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median
from typing import Protocol

from core.base.clock import Clock
from core.base.records import Outcome, Usage
from core.base.views import SweepPoint
from core.flow.limits import Gauges, Limit, LimitChange, Point, Sample


class Schedule(Limit, Protocol):
    """A limit that goes through a schedule and measures at each of its steps."""

    @property
    def points(self) -> tuple[Point, ...]: ...
    @property
    def finished(self) -> bool: ...
    @property
    def notes(self) -> Sequence[str]: ...


@dataclass(slots=True)
class Tally:
    """What happened to the calls that started since a limit came into force."""

    since: float = float("-inf")
    latencies: list[float] = field(default_factory=list)
    calls: int = 0
    failed: int = 0
    rate_limited: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, sample: Sample) -> None:
        """A call came back."""
        self.calls += 1
        self.failed += sample.outcome is Outcome.IGNORED
        self.rate_limited += sample.outcome is Outcome.OVERLOAD
        if sample.outcome is Outcome.SUCCESS:
            self.latencies.append(sample.latency_s)
            self.input_tokens += sample.input_tokens
            self.output_tokens += sample.output_tokens

    @property
    def settled(self) -> list[float]:
        """Latencies without the first third, which still ran among the calls of the limit before."""
        return self.latencies[len(self.latencies) // 3 :]

    @property
    def usage(self) -> Usage | None:
        """Tokens of a mean call; None before the first answer."""
        good = len(self.latencies)
        return Usage(round(self.input_tokens / good), round(self.output_tokens / good)) if good else None


@dataclass(frozen=True, slots=True)
class Told:
    """Who hears of a sweep: of each point, and once of the end of the schedule. price: USD of an item from the mean
    usage of a call and the calls a second, None where there is no price."""

    point: Callable[[SweepPoint], None]
    end: Callable[[], None]
    price: Callable[[Usage, float], Decimal | None]


class SweepWatch:
    """Passes everything on to the schedule and tells what came of it; itself a `Limit`."""

    def __init__(self, schedule: Schedule, told: Told, clock: Clock) -> None:
        self.schedule = schedule
        self._told = told
        self._clock = clock
        self._tally = Tally()
        self._known: set[Point] = set()
        self._over = False

    def __repr__(self) -> str:
        return f"<SweepWatch {len(self._known)} points, {self.schedule!r}>"

    @property
    def limit(self) -> int:
        """The limit of this step."""
        return self.schedule.limit

    def bound(self, at: float, floor: int, ceiling: int) -> LimitChange | None:
        """The operator's bounds hold for a sweep too."""
        return self._after(at, self.schedule.bound(at, floor, ceiling))

    @property
    def why(self) -> str:
        """What was left out of the schedule, and why; '' where nothing was."""
        return " ".join(self.schedule.notes)

    def started(self, at: float, in_flight: int) -> None:
        """A call was sent."""
        self.schedule.started(at, in_flight)

    def ended(self, sample: Sample) -> LimitChange | None:
        """A call came back."""
        if sample.started_at >= self._tally.since:
            self._tally.add(sample)
        return self._after(sample.ended_at, self.schedule.ended(sample))

    def tick(self, at: float, in_flight: int, waiting: int) -> LimitChange | None:
        """Time passes."""
        return self._after(at, self.schedule.tick(at, in_flight, waiting))

    def down(self, at: float) -> LimitChange | None:
        """The server stopped answering."""
        return self._after(at, self.schedule.down(at))

    def up(self, at: float) -> LimitChange | None:
        """It answers again."""
        return self._after(at, self.schedule.up(at))

    def gauges(self, gauges: Gauges) -> LimitChange | None:
        """What the server says of itself."""
        return self._after(gauges.at, self.schedule.gauges(gauges))

    def _after(self, at: float, change: LimitChange | None) -> LimitChange | None:
        """Tell what is new, with the tally of the limit it was measured at."""
        for point in self.schedule.points:
            if point not in self._known:
                self._known.add(point)
                self._told.point(self._seen(point))
        if change is not None:
            self._tally = Tally(at)
        if self.schedule.finished and not self._over:
            self._over = True
            self._told.end()
        return change

    def _seen(self, point: Point) -> SweepPoint:
        tally, latencies = self._tally, self._tally.settled
        usage = tally.usage
        return SweepPoint(
            limit=point.limit,
            calls_per_s=point.calls_per_s,
            tokens_per_s=point.tokens_per_s,
            latency_s=point.latency_s,
            p95_s=point.p95_s,
            error=point.error,
            in_flight=point.in_flight,
            samples=point.samples,
            at=self._clock.wall(),
            tokens=point.tokens,
            slope=point.slope,
            p50_s=median(latencies) if latencies else None,
            calls=tally.calls,
            failed=tally.failed,
            rate_limited=tally.rate_limited,
            cost_item_usd=None if usage is None else self._told.price(usage, point.calls_per_s),
        )
