"""The search side of a run: one gate, sized by hand or by an algorithm of its own."""

from __future__ import annotations

from collections.abc import Callable

from core.base.clock import Clock
from core.base.records import Outcome
from core.flow import Gate
from core.flow.limits import LimitChange, Sample
from core.pipeline.controller import Algorithm, Controller
from core.pipeline.sizing import Sizing

Tell = Callable[[str, LimitChange, str], None]


class GateTuner:
    """Sizes one gate. `tell(endpoint, change, who)` hears of every change; endpoint is always ''."""

    def __init__(
        self,
        gate: Gate,
        sizing: Sizing,
        clock: Clock,
        *,
        algorithm: Algorithm,
        tell: Tell,
        resized: Callable[[], None],
    ) -> None:
        self.gate = gate
        self.sizing = sizing
        self.watch: Controller | None = None
        self._clock = clock
        self._algorithm = algorithm
        self._tell = tell
        self._resized = resized
        self._good: int | None = None

    def __repr__(self) -> str:
        return f"<GateTuner {self.sizing.mode} {self.gate!r}>"

    def remember(self, limit: int) -> None:
        """Begin auto with this limit, which was good before."""
        self._good = limit

    def begin(self) -> None:
        """The run begins."""
        if self.sizing.auto and self.watch is None:
            self._start(self._good or self.sizing.begin, "auto", "Auto begins here.")

    def set(self, sizing: Sizing, who: str, reason: str) -> None:
        """What the operator wants from now on; auto goes on from the limit in force."""
        before, self.sizing = self.sizing, sizing
        if not sizing.auto:
            self.watch = None
            self._resize(LimitChange(self.gate.limit, int(sizing.limit), reason, "fixed"), who)
        elif self.watch is None or before.slo_p95_s != sizing.slo_p95_s:
            self._start(self.gate.limit, who, reason)
        else:
            self.watch.bound(self._clock.monotonic(), sizing.floor, sizing.ceiling)

    def _start(self, limit: int, who: str, reason: str) -> None:
        self.watch = Controller(self._algorithm(self.sizing, limit), lambda change: self._resize(change, "auto"))
        self._resize(LimitChange(self.watch.limit, self.watch.limit, reason, "start"), who)

    def _resize(self, change: LimitChange, who: str) -> None:
        self.gate.resize(change.new)
        self._resized()
        if change.phase == "start" or change.old != change.new:
            self._tell("", change, who)

    def tick(self) -> None:
        """A second has passed."""
        if self.watch is not None:
            self.watch.tick(self._clock.monotonic(), self.gate.in_flight, self.gate.waiting)

    def sent(self, at: float) -> int:
        """A search leaves now (monotonic seconds); how many are in flight with it."""
        if self.watch is not None:
            self.watch.started(at, self.gate.in_flight)
        return self.gate.in_flight

    def ended(self, sent_at: float, crowd: int, outcome: Outcome, *, busy: bool = False) -> None:
        """A search that left then came back."""
        if self.watch is not None:
            self.watch.ended(Sample(sent_at, self._clock.monotonic(), outcome, crowd, busy=busy))
