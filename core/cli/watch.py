"""Watching a run of this process until it ends, and ending it when the operator asks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from core.cli.opening import DRAIN_S
from core.cli.progress import Meter
from core.cli.sentences import progress
from core.cli.signals import Stop

if TYPE_CHECKING:
    from core.base.views import RunView
    from core.service import Service

LOOK_S = 0.1
REDRAW_S = 0.5
CUT_S = 5.0
TELLING = ("slo", "held")


class Watch:
    """One run, its meter and the signals.

    The first signal lets it admit no more and drain for thirty seconds; a second, or the end of that time, cancels
    what is in flight. A run that an operator paused goes on being watched: its engine waits for `resume`.
    """

    def __init__(self, service: Service, run_id: str, stop: Stop, meter: Meter) -> None:
        self.service = service
        self.run_id = run_id
        self.stop = stop
        self.meter = meter
        self._deadline: float | None = None
        self._redraw = 0.0
        self._heard = len(service.limit_changes(run_id))

    def __repr__(self) -> str:
        return f"<Watch {self.run_id} {self.stop!r}>"

    def until_end(self) -> RunView:
        """The run as it ended."""
        self.stop.gently()
        try:
            while self.service.owns(self.run_id):
                self._look()
        except KeyboardInterrupt:
            self._cut("Stopping at once.")
        self._pass_on()
        return self.service.run(self.run_id)

    def _look(self) -> None:
        self.service.wait(self.run_id, LOOK_S)
        if self.stop.asked.is_set() and self._deadline is None:
            self._drain()
        if self._deadline is not None and time.monotonic() > self._deadline:
            self._cut(f"What is in flight did not finish within {DRAIN_S:.0f} s: stopping.")
        self._draw()

    def _drain(self) -> None:
        self._deadline = time.monotonic() + DRAIN_S
        self.meter.say(f"{self.stop.name}: finishing what is in flight, up to {DRAIN_S:.0f} s; again to stop at once.")
        self.service.stop(self.run_id, f"Stopped by {self.stop.name}.")

    def _cut(self, why: str) -> None:
        self.stop.deaf()
        self.meter.say(why)
        self.service.stop(self.run_id, f"Stopped by {self.stop.name}.", at_once=True)
        self.service.wait(self.run_id, CUT_S)

    def _pass_on(self) -> None:
        """Say what auto wants the operator to know: a target that cannot be met, a server that another run tunes."""
        changes = self.service.limit_changes(self.run_id)
        for change in changes[self._heard :]:
            if change.phase in TELLING:
                self.meter.say(f"{change.endpoint or change.resource}: {change.reason}")
        self._heard = len(changes)

    def _draw(self) -> None:
        now = time.monotonic()
        if now >= self._redraw:
            self._redraw = now + REDRAW_S
            self._pass_on()
            snapshot = self.service.snapshot(self.run_id)
            run = snapshot.run
            self.meter.tell(run.selected - run.pending, run.selected, progress(snapshot))
