"""The law of the simulation, on a clock that is only a number."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.practice.batch import Batch
from core.practice.laws import Job
from core.practice.presets import PRESETS, Preset

LAW = Preset("t", "", step_s=0.010, step_per_seat_s=0.001, prefill_s=0.005, prefill_per_token_s=0.0001, seats=4)
GPU = PRESETS["single-gpu-8b"]


@dataclass
class Run:
    """What a simulation did: when each call's marks came."""

    marks: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    batch: Batch | None = None
    events: int = 0

    @property
    def ends(self) -> list[float]:
        return [self.marks[i][-1][1] for i in sorted(self.marks)]

    @property
    def firsts(self) -> list[float]:
        return [self.marks[i][0][1] for i in sorted(self.marks)]


def simulate(preset: Preset, calls: list[tuple[float, int, int]], groups: int = 0) -> Run:
    """Run calls of (arrival, prompt, output) to their ends."""
    run, now = Run(), 0.0
    batch = run.batch = Batch(preset, now)
    jobs = []
    for number, (at, prompt, output) in enumerate(calls):
        run.marks[number] = []
        job = Job(prompt, output, lambda count, n=number: run.marks[n].append((count, now)), groups)
        jobs.append((at, job))
    while jobs or batch.next_at is not None:
        due = math.inf if batch.next_at is None else batch.next_at
        if jobs and jobs[0][0] <= due:
            now, job = jobs.pop(0)
            batch.submit(job, now)
        else:
            now = due
            batch.advance(now)
            run.events += 1
    return run


class Stepwise:
    """The same law, told one step at a time: slow and plain."""

    def __init__(self, preset: Preset) -> None:
        self.preset = preset
        self.now = 0.0
        self.queue: list[dict[str, float]] = []
        self.running: list[dict[str, float]] = []
        self.ends: dict[float, float] = {}
        self.boundaries: list[float] = []

    def run(self, calls: list[tuple[float, int, int]]) -> list[float]:
        """The end of each call."""
        pending = [{"id": i, "at": at, "prompt": p, "left": o, "has": 0} for i, (at, p, o) in enumerate(calls)]
        while pending or self.queue or self.running:
            idle = not self.queue and not self.running and (not self.now or pending[0]["at"] > self.now)
            self.now = pending[0]["at"] if idle else self.now
            self.arrive(pending, idle=idle)
            self.between()
        return [self.ends[i] for i in range(len(calls))]

    def arrive(self, pending: list[dict[str, float]], *, idle: bool) -> None:
        """All who have come by now; the first at an idle server finds nobody to wait for."""
        while pending and pending[0]["at"] <= self.now + 1e-9:
            self.queue.append(pending.pop(0))
            if idle:
                break

    def between(self) -> None:
        """Between two steps: preempt, admit, then a prefill or a step."""
        while self.held(self.running) > self.memory and len(self.running) > 1:
            self.queue.insert(0, self.running.pop())
        joining: list[dict[str, float]] = []
        while self.queue and self.fits(joining):
            joining.append(self.queue.pop(0))
        self.now += self.preset.prefill(self.held(joining)) if joining else self.preset.step(len(self.running))
        self.boundaries.append(self.now)
        self.running += joining
        for call in joining or list(self.running):
            self.give(call)

    @property
    def memory(self) -> float:
        return self.preset.kv_tokens or math.inf

    def held(self, calls: list[dict[str, float]]) -> int:
        return int(sum(call["prompt"] + call["has"] for call in calls))

    def fits(self, joining: list[dict[str, float]]) -> bool:
        others = self.running + joining
        return not others or (len(others) < self.preset.seats and self.held([*others, self.queue[0]]) < self.memory)

    def give(self, call: dict[str, float]) -> None:
        call["has"] += 1
        call["left"] -= 1
        if not call["left"]:
            self.running.remove(call)
            self.ends[call["id"]] = self.now


CALLS = st.lists(
    st.tuples(st.floats(0, 0.4, allow_nan=False), st.integers(1, 40), st.integers(1, 30)), min_size=1, max_size=14
).map(lambda calls: sorted(calls, key=lambda call: call[0]))


@settings(max_examples=150, deadline=None)
@given(CALLS, st.sampled_from([None, 90, 150]))
def test_events_and_steps_tell_the_same(calls: list[tuple[float, int, int]], memory: int | None) -> None:
    """The event-driven simulation ends each call when a plain step-by-step one does, also with little memory.

    Who arrives at the very end of a step may join the next one or the one after it: the law says neither, and the last
    bit of a sum would decide.
    """
    preset = replace(LAW, kv_tokens=memory)
    stepwise = Stepwise(preset)
    ends = stepwise.run(calls)
    assume(all(abs(at - end) > 1e-6 for at, _, _ in calls for end in stepwise.boundaries))
    assert simulate(preset, calls).ends == pytest.approx(ends, abs=1e-6)


def test_a_lone_call_takes_its_prefill_and_its_steps() -> None:
    """The prefill gives the first token, each step one more: prefill(p) + (o - 1) t(1)."""
    (marks,) = simulate(LAW, [(0.0, 100, 11)], groups=2).marks.values()
    assert marks[0] == (1, pytest.approx(0.015))
    assert marks[-1] == (11, pytest.approx(0.015 + 10 * 0.011))


def test_a_prefill_stalls_who_is_decoding() -> None:
    """A newcomer's prefill comes between two steps and makes the others wait."""
    alone, stalled = simulate(LAW, [(0.0, 0, 5)]), simulate(LAW, [(0.0, 0, 5), (0.02, 1000, 1)])
    assert stalled.ends[0] - alone.ends[0] == pytest.approx(LAW.prefill(1000))


def test_beyond_the_seats_calls_wait_their_turn() -> None:
    """With four seats the fifth call gets its first token after one of the four has ended; order is kept."""
    run = simulate(LAW, [(i * 1e-6, 10, 20) for i in range(8)])
    assert run.ends == sorted(run.ends)
    late = simulate(LAW, [(i * 1e-6, 10, 20) for i in range(8)], groups=1)
    assert min(late.firsts[4:]) >= min(late.ends[:4])


def _tokens_per_second(preset: Preset, in_flight: int, rounds: int = 6) -> float:
    """A closed loop of so many callers, all of whose answers have 80 tokens."""
    batch, done, now = Batch(preset, 0.0), [0], 0.0

    def submit(left: int) -> None:
        def mark(_: int) -> None:
            done[0] += 1
            if left:
                again.append(left - 1)

        batch.submit(Job(300, 80, mark), now)

    again = [rounds - 1] * in_flight
    while again or batch.next_at is not None:
        while again:
            submit(again.pop())
        if batch.next_at is not None:
            now = batch.next_at
            batch.advance(now)
    return done[0] * 80 / now


def test_throughput_grows_until_the_seats_are_full() -> None:
    """More in flight is more throughput with less and less gain, and nothing beyond the seats but waiting."""
    found = {n: _tokens_per_second(GPU, n) for n in (1, 8, 32, 128, 256)}
    assert found[1] < found[8] < found[32] < found[128]
    assert found[8] / found[1] > 4
    assert found[256] / found[128] == pytest.approx(1, abs=0.08)


def test_memory_has_a_cliff() -> None:
    """Beyond the memory the last to come start again: preemptions happen, everybody ends, and throughput falls."""
    limited = PRESETS["kv-limited"]
    calls = [(i * 1e-4, 300, 200) for i in range(200)]
    free, tight = simulate(replace(limited, kv_tokens=None), calls), simulate(limited, calls)
    assert tight.batch is not None
    assert tight.batch.preemptions > 0
    assert len(tight.ends) == 200
    assert max(tight.ends) > 1.2 * max(free.ends)


def test_a_sequence_larger_than_the_memory_still_ends() -> None:
    """Alone it may overrun: nothing waits for ever."""
    assert len(simulate(replace(LAW, kv_tokens=20), [(0.0, 15, 30), (0.0, 15, 30)]).ends) == 2


def test_the_cost_is_per_call_not_per_token() -> None:
    """A call of a million tokens is a handful of events."""
    run = simulate(LAW, [(0.0, 10, 1_000_000)])
    assert run.events <= 3
    assert run.ends[0] == pytest.approx(LAW.prefill(10) + 999_999 * LAW.step(1))


def test_streamed_calls_are_told_of_in_a_few_groups() -> None:
    """Streaming marks the first token, some in between, and the end."""
    (marks,) = simulate(LAW, [(0.0, 10, 60)], groups=6).marks.values()
    assert [count for count, _ in marks] == [1, 10, 20, 30, 40, 50, 60]


def test_neighbours_take_speed_and_come_again_the_same() -> None:
    """Other people's sequences slow the steps, drawn from the seed: the same run twice, another with another."""
    calls = [(i * 0.2, 100, 60) for i in range(100)]
    noisy = replace(PRESETS["shared-noisy"], stray=0.0)
    first, again = simulate(noisy, calls).ends, simulate(noisy, calls).ends
    assert first == again
    assert first != simulate(replace(noisy, seed=8), calls).ends
    assert sum(first) > sum(simulate(replace(noisy, neighbours=0), calls).ends)


@settings(max_examples=80, deadline=None)
@given(CALLS, st.lists(st.tuples(st.floats(0, 0.5, allow_nan=False), st.integers(0, 13)), max_size=8))
def test_who_leaves_frees_seat_and_memory(calls: list[tuple[float, int, int]], leaves: list[tuple[float, int]]) -> None:
    """However callers leave, nobody else is lost and nothing stays behind: no seat, no memory, no event."""
    batch, ended, gone = Batch(replace(LAW, kv_tokens=120), 0.0), set(), set()
    jobs = [Job(p, o, lambda _, n=n: ended.add(n)) for n, (_, p, o) in enumerate(calls)]
    acts = [(at, "come", n) for n, (at, _, _) in enumerate(calls)]
    acts += [(at, "leave", n) for at, n in leaves if n < len(calls) and at >= calls[n][0]]
    for at, act, n in sorted(acts, key=lambda a: a[0]):
        while batch.next_at is not None and batch.next_at <= at:
            batch.advance(batch.next_at)
        if act == "come":
            batch.submit(jobs[n], at)
        elif n not in ended | gone:
            batch.cancel(jobs[n], at)
            gone.add(n)
    while batch.next_at is not None:
        batch.advance(batch.next_at)
    assert ended | gone == set(range(len(calls)))
    assert not ended & gone
    assert (batch.running, batch.waiting, batch.memory_used) == (0, 0, 0)
