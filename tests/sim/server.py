"""Simulated model servers on a virtual clock: continuous batching, seats, KV memory with last-in preemption.

One engine serves them all. Work is measured in units (output tokens, or seconds of service); every running call
advances at the same pace, one unit in t(b) = (step_s + step_per_seat_s * b) * slow seconds, where b calls run. A call
that is admitted stalls all others for its prefill. The virtual clock `_done` counts the units that a call which ran
from the beginning would have received, so that an event costs O(log b) and no token is simulated on its own.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass

NEVER = math.inf


@dataclass(frozen=True, slots=True)
class Law:
    """A server's law. seats: calls that run; queue: calls that may wait (None: all), 429 beyond; kv_tokens: memory."""

    step_s: float
    step_per_seat_s: float = 0.0
    seats: int = 256
    prefill_s: float = 0.0
    prefill_per_token_s: float = 0.0
    kv_tokens: float | None = None
    queue: int | None = None


class Call:
    """A call; `prompt`, `output` (what is left) and `size` (all of it) in tokens, `work` in the server's units.

    item: the restaurant that it is for; held_s: how long its record took to be written.
    """

    __slots__ = (
        "ends",
        "held_s",
        "in_flight",
        "item",
        "ours",
        "output",
        "prompt",
        "running",
        "size",
        "started_at",
        "work",
    )

    def __init__(self, prompt: int, output: int, work: float, ours: bool = True, item: int = 0) -> None:
        self.prompt = prompt
        self.item = item
        self.output = self.size = output
        self.work = work
        self.ours = ours
        self.running = False
        self.ends = 0.0
        self.started_at = 0.0
        self.in_flight = 0
        self.held_s = 0.0


class Server:
    """Runs calls; `next_at` is when the next one ends (or is preempted), `advance` makes it so."""

    def __init__(self, law: Law, now: float = 0.0) -> None:
        self.law = law
        self.slow = 1.0
        self.preemptions = 0
        self.running = 0
        self.queue: deque[Call] = deque()
        self._now = now
        self._stall = 0.0
        self._done = 0.0
        self._kv = 0.0
        self._serial = 0
        self._heap: list[tuple[float, int, Call]] = []
        self._order: list[tuple[int, Call]] = []

    @property
    def waiting(self) -> int:
        """Calls in the server's queue."""
        return len(self.queue)

    def submit(self, call: Call, now: float) -> bool:
        """Take a call in; False where the queue is full."""
        self._pass(now)
        law = self.law
        if law.queue is not None and self.running >= law.seats and len(self.queue) >= law.queue:
            return False
        self.queue.append(call)
        self._admit()
        return True

    def change(self, slow: float, now: float) -> None:
        """From now on everything takes `slow` times as long."""
        self._pass(now)
        self.slow = slow

    def drop(self, now: float) -> list[Call]:
        """Everything is lost: the calls that were here."""
        self._pass(now)
        lost = [call for _, _, call in self._heap if call.running] + list(self.queue)
        for call in lost:
            call.running = False
        self._heap.clear()
        self._order.clear()
        self.queue.clear()
        self.running, self._kv, self._stall = 0, 0.0, 0.0
        return lost

    @property
    def next_at(self) -> float:
        """When something happens next."""
        heap = self._heap
        while heap and not (heap[0][2].running and heap[0][0] == heap[0][2].ends):
            heapq.heappop(heap)
        if not heap:
            return NEVER
        units = heap[0][0] - self._done
        if self.law.kv_tokens is not None and self.running > 1:
            units = min(units, max(0.0, self.law.kv_tokens - self._kv) / self.running)
        return self._now + self._stall + max(units, 0.0) * self._step()

    def advance(self, now: float) -> list[Call]:
        """Calls that have ended by now."""
        self._pass(now)
        ended = []
        heap = self._heap
        while heap and heap[0][0] <= self._done + 1e-9:
            at, _, call = heapq.heappop(heap)
            if call.running and at == call.ends:
                self._leave(call, call.prompt + call.output)
                ended.append(call)
        self._preempt()
        if ended:
            self._admit()
        return ended

    def _step(self) -> float:
        return (self.law.step_s + self.law.step_per_seat_s * self.running) * self.slow

    def _pass(self, now: float) -> None:
        left = now - self._now
        self._now = now
        if self._stall:
            stalled = min(left, self._stall)
            self._stall -= stalled
            left -= stalled
        if left > 0 and self.running:
            units = left / self._step()
            self._done += units
            self._kv += units * self.running

    def _leave(self, call: Call, tokens: float) -> None:
        call.running = False
        self.running -= 1
        self._kv -= tokens

    def _admit(self) -> None:
        law = self.law
        while self.queue and self.running < law.seats:
            call = self.queue[0]
            if law.kv_tokens is not None and self.running and self._kv + call.prompt > 0.99 * law.kv_tokens:
                return
            self.queue.popleft()
            self._run(call)

    def _run(self, call: Call) -> None:
        self._serial += 1
        call.running = True
        call.ends = self._done + call.work
        self.running += 1
        self._kv += call.prompt
        self._stall += (self.law.prefill_s + self.law.prefill_per_token_s * call.prompt) * self.slow
        heapq.heappush(self._heap, (call.ends, self._serial, call))
        if self.law.kv_tokens is not None:
            self._order.append((self._serial, call))

    def _preempt(self) -> None:
        """Put the last to come back to the head of the queue; what it has generated is prefilled again."""
        while self.law.kv_tokens is not None and self.running > 1 and self._kv >= self.law.kv_tokens - 1e-6:
            _, call = self._order.pop()
            if not call.running:
                continue
            made = call.work - (call.ends - self._done)
            self.preemptions += 1
            self._leave(call, call.prompt + made)
            call.prompt, call.output, call.work = round(call.prompt + made), call.output - round(made), call.work - made
            self.queue.appendleft(call)
