"""Continuous batching, simulated by its events: between two of them every step takes equally long, so that the cost is
per call and per change of the batch, not per token."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque

from core.practice.laws import Job
from core.practice.presets import Preset

_EARLY = 1e-9


def _nobody(_: int) -> None:
    """Marks of a call whose caller has gone."""


class Batch:
    """A GPU's batch: a queue, sequences that are prefilled, sequences that decode together. The law is the preset's.

    `_steps` counts decode steps; a run of equal steps began at `_began`. A sequence's mark lies on a step, so the next
    event is the least mark, the memory's end, the neighbours' change or, for a newcomer, the next step.
    """

    def __init__(self, preset: Preset, now: float) -> None:
        self._preset = preset
        self._seats = preset.seats or math.inf
        self._memory = preset.kv_tokens or math.inf
        self._queue: deque[Job] = deque()
        self._prefilling: list[Job] = []
        self._decoding: dict[Job, None] = {}
        self._marks: list[tuple[int, int, int, Job]] = []
        self._steps = 0
        self._serial = 0
        self._used = 0
        self._began = now
        self._origin = now
        self._others = 0
        self._step = preset.step(0)
        self._event: tuple[float, int] | None = None
        self.preemptions = 0

    def __repr__(self) -> str:
        return f"<Batch {self.running} running, {self.waiting} waiting, {self.preemptions} preempted>"

    @property
    def running(self) -> int:
        return len(self._decoding) + len(self._prefilling)

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def memory_used(self) -> int:
        """Tokens in memory."""
        return self._used

    @property
    def next_at(self) -> float | None:
        return self._event[0] if self._event else None

    def submit(self, job: Job, now: float) -> None:
        """Queue a job; it is admitted between two steps."""
        self.advance(now)
        job.state = "waiting"
        self._queue.append(job)
        if not self.running:
            self._boundary(now)
        elif self._decoding and not self._prefilling and self._fits(job) and len(self._queue) == 1:
            self._plan(max(self._next_boundary(now), 1))

    def cancel(self, job: Job, now: float) -> None:
        """Take a job out, whose caller has gone."""
        self.advance(now)
        job.on_mark = _nobody
        if job.state == "waiting":
            self._queue.remove(job)
        elif job.state == "prefilling":
            self._leave(job)
            if not self._prefilling:
                self._boundary(now)
        elif job.state == "decoding":
            self._settle_steps(self._next_boundary(now))
            if job in self._decoding:
                self._leave(job)
            self._boundary(self._began)
        job.state = "gone"

    def advance(self, now: float) -> None:
        """Make everything happen that is due at `now`."""
        while self._event and self._event[0] <= now + _EARLY:
            at, steps = self._event
            if self._prefilling:
                self._end_prefill(at)
            else:
                self._settle_steps(steps)
            self._boundary(at)

    def _next_boundary(self, now: float) -> int:
        """Steps from the beginning of this run of steps to the first that ends at `now` or later."""
        return max(math.ceil((now - self._began) / self._step - _EARLY), 0)

    def _settle_steps(self, steps: int) -> None:
        """Let that many steps have passed: every decoding sequence has as many tokens more."""
        self._steps += steps
        self._used += steps * len(self._decoding)
        self._began += steps * self._step
        while self._marks and self._marks[0][0] <= self._steps:
            _, _, epoch, job = heapq.heappop(self._marks)
            if job.epoch == epoch and job.state == "decoding":
                self._reach(job)

    def _reach(self, job: Job) -> None:
        """A mark: tell of it, and leave after the last."""
        count = job.marks.popleft()
        if not job.marks:
            self._leave(job)
            job.state = "done"
        else:
            self._push(job)
        job.on_mark(count)

    def _push(self, job: Job) -> None:
        self._serial += 1
        heapq.heappush(self._marks, (job.since + job.marks[0] - job.generated, self._serial, job.epoch, job))

    def _tokens(self, job: Job) -> int:
        """What a sequence holds in memory."""
        return job.prompt + job.generated + (self._steps - job.since if job.state == "decoding" else 0)

    def _leave(self, job: Job) -> None:
        self._used -= self._tokens(job)
        job.epoch += 1
        if job.state == "decoding":
            del self._decoding[job]
        else:
            self._prefilling.remove(job)

    def _boundary(self, now: float) -> None:
        """Between two steps: make room, admit, plan the next event."""
        self._began = now
        while self._used > self._memory and len(self._decoding) > 1:
            self._preempt()
        self._others = self._neighbours(now)
        self._admit()
        self._plan()

    def _preempt(self) -> None:
        """Send the last to come back to the head of the queue; what it has written becomes part of its prompt."""
        job = next(reversed(self._decoding))
        written = job.generated + self._steps - job.since
        self._leave(job)
        job.generated, job.state = written, "waiting"
        self._queue.appendleft(job)
        self.preemptions += 1

    def _admit(self) -> None:
        tokens = 0
        while self._queue and self._fits(self._queue[0]):
            need = self._queue[0].prompt + self._queue[0].generated
            if tokens and tokens + need > self._preset.prefill_batch:
                break
            job = self._queue.popleft()
            job.state = "prefilling"
            self._prefilling.append(job)
            self._used += need
            tokens += need

    def _fits(self, job: Job) -> bool:
        if not self.running:
            return True
        return self.running + self._others < self._seats and self._used + job.prompt + job.generated < self._memory

    def _end_prefill(self, at: float) -> None:
        """The prefilled sequences have their next token, and decode from now on."""
        self._began = at
        for job in self._prefilling:
            job.generated += 1
            job.since = self._steps
            job.state = "decoding"
            self._decoding[job] = None
            self._used += 1
        joined, self._prefilling = self._prefilling, []
        for job in joined:
            if job.marks[0] <= job.generated:
                self._reach(job)
            else:
                self._push(job)

    def _plan(self, at_most: int | None = None) -> None:
        """Set the next event: the end of the prefill, or of a number of equal steps."""
        if self._prefilling:
            tokens = sum(job.prompt + job.generated for job in self._prefilling)
            self._event = self._began + self._preset.prefill(tokens), 0
        elif not self._decoding:
            self._event = None
        else:
            self._step = max(self._preset.step(len(self._decoding) + self._others), 1e-6)
            steps = min(self._to_next_mark(), self._to_full_memory(), self._to_change())
            steps = min(steps, at_most) if at_most else steps
            self._event = self._began + steps * self._step, steps

    def _to_next_mark(self) -> int:
        while self._marks[0][2] != self._marks[0][3].epoch:
            heapq.heappop(self._marks)
        return self._marks[0][0] - self._steps

    def _to_full_memory(self) -> int:
        if self._memory == math.inf or len(self._decoding) < 2:
            return 1 << 30
        return int((self._memory - self._used) // len(self._decoding)) + 1

    def _to_change(self) -> int:
        if not self._preset.neighbours:
            return 1 << 30
        width = self._preset.neighbour_s
        left = width - (self._began - self._origin) % width
        return max(math.ceil(left / self._step), 1)

    def _neighbours(self, now: float) -> int:
        """How many of other people's sequences are in the batch: drawn anew for each slice of time, from the seed."""
        mean = self._preset.neighbours
        if not mean:
            return 0
        window = int((now - self._origin) // self._preset.neighbour_s)
        return random.Random(self._preset.seed * 1_000_003 + window).randint(0, 2 * mean)
