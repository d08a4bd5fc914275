"""What the laws of simulated speed have in common: jobs go in, marks of progress come out, time is an argument."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Protocol

from core.practice.presets import Preset


class Job:
    """A call in the simulation. `on_mark(tokens)` is called when that many tokens are out; marks end with `output`."""

    __slots__ = ("epoch", "generated", "marks", "on_mark", "output", "prompt", "since", "state")

    def __init__(self, prompt: int, output: int, on_mark: Callable[[int], None], groups: int = 0) -> None:
        self.prompt = prompt
        self.output = max(output, 1)
        self.on_mark = on_mark
        self.marks = deque(_marks(self.output, groups))
        self.state = "new"
        self.generated = 0
        self.since = 0
        self.epoch = 0


def _marks(output: int, groups: int) -> list[int]:
    """The counts at which a call is told of: its end; streamed, also its first token and a few in between."""
    if not groups:
        return [output]
    return sorted({1, output, *(-(-output * i // groups) for i in range(1, groups))})


class Law(Protocol):
    """Simulated speed. `advance` makes everything happen that is due; `next_at` says when something is due again."""

    preemptions: int

    @property
    def running(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def next_at(self) -> float | None: ...
    def submit(self, job: Job, now: float) -> None: ...
    def cancel(self, job: Job, now: float) -> None: ...
    def advance(self, now: float) -> None: ...


class Instant:
    """No latency: a job is done when it comes."""

    preemptions = 0
    running = 0
    waiting = 0
    next_at = None

    def submit(self, job: Job, now: float) -> None:
        """Done at once."""
        while job.marks:
            job.on_mark(job.marks.popleft())

    def cancel(self, job: Job, now: float) -> None:
        """Too late: it is done."""

    def advance(self, now: float) -> None:
        """Nothing is ever due."""


class Fixed:
    """Every call takes the same time, its tokens spread evenly over it; beyond the seats calls wait their turn."""

    preemptions = 0

    def __init__(self, preset: Preset) -> None:
        self._preset = preset
        self._due: list[tuple[float, int, float, Job]] = []
        self._queue: deque[Job] = deque()
        self._serial = 0
        self.running = 0

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def next_at(self) -> float | None:
        return self._due[0][0] if self._due else None

    def submit(self, job: Job, now: float) -> None:
        """Start a job, or queue it."""
        job.state = "waiting"
        self._queue.append(job)
        self._start(now)

    def cancel(self, job: Job, now: float) -> None:
        """Take a job out."""
        if job.state == "waiting":
            self._queue.remove(job)
        elif job.state == "running":
            self.running -= 1
        job.state = "gone"
        self._start(now)

    def advance(self, now: float) -> None:
        """Mark what is due."""
        while self._due and self._due[0][0] <= now:
            at, _, began, job = heapq.heappop(self._due)
            if job.state == "running":
                self._mark(job, began, at)

    def _mark(self, job: Job, began: float, at: float) -> None:
        count = job.marks.popleft()
        if job.marks:
            self._schedule(job, began)
        else:
            job.state = "done"
            self.running -= 1
            self._start(at)
        job.on_mark(count)

    def _start(self, now: float) -> None:
        while self._queue and (not self._preset.seats or self.running < self._preset.seats):
            job = self._queue.popleft()
            job.state = "running"
            self.running += 1
            self._schedule(job, now)

    def _schedule(self, job: Job, began: float) -> None:
        self._serial += 1
        at = began + self._preset.latency_s * job.marks[0] / job.output
        heapq.heappush(self._due, (at, self._serial, began, job))
