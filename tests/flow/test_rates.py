"""Rates: admission in turn, settling, headers, rejections; nothing leaks in any storm."""

from __future__ import annotations

import asyncio
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.base.errors import ConfigError
from core.flow import Rates, Reservation, StoppedError
from core.flow.rates_headers import read, seconds
from tests.support.clock import FakeClock, settle


def _rates(clock: FakeClock, rpm: float | None = None, tpm: float | None = None) -> Rates:
    return Rates(rpm, tpm, clock, random.Random(1), name="vllm")


def _openai(kind: str, limit: int, remaining: int, reset: str = "1s") -> dict[str, str]:
    facts = {"limit": str(limit), "remaining": str(remaining), "reset": reset}
    return {f"x-ratelimit-{fact}-{kind}": value for fact, value in facts.items()}


def test_unlimited_admits_at_once() -> None:
    """Nothing configured and nothing observed: a thousand calls of any size wait for nothing."""

    async def main() -> None:
        rates = _rates(FakeClock())
        for _ in range(1_000):
            await rates.admit(10**9)
        assert rates.waiting == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_requests_are_admitted_at_their_rate() -> None:
    """60 a minute: one at once, then one a second; nobody waits for the alarm when all are served."""

    async def main() -> None:
        clock, times = FakeClock(0.0), []
        rates = _rates(clock, rpm=60)

        async def call() -> None:
            await rates.admit()
            times.append(clock.now)

        async with asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(call())
            await clock.advance(10)
        assert times == pytest.approx([0, 1, 2, 3, 4])
        await settle()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_the_oldest_item_goes_first_and_a_large_call_is_not_starved() -> None:
    """Lowest priority value first, ties by arrival; small calls don't overtake the large one at the head."""

    async def main() -> None:
        clock, order = FakeClock(0.0), []
        rates = _rates(clock, tpm=6_000)

        async def call(name: str, tokens: int, priority: float) -> None:
            await rates.admit(tokens, priority)
            order.append(name)

        await rates.admit(1_000)
        async with asyncio.TaskGroup() as group:
            for name, tokens, priority in (("late", 1, 5), ("young", 1, 2), ("large", 900, 1), ("again", 1, 1)):
                group.create_task(call(name, tokens, priority))
            await clock.advance(60)
        assert order == ["large", "again", "young", "late"]

    asyncio.run(main())


def test_a_newcomer_of_older_item_is_not_held_by_the_alarm_of_another() -> None:
    """The alarm was set for a call that waits long; a small one that now goes first is woken at its own time."""

    async def main() -> None:
        clock = FakeClock(0.0)
        rates = _rates(clock, tpm=6_000)
        await rates.admit(100)
        large = asyncio.create_task(rates.admit(10_000, 5))
        await settle()
        small = asyncio.create_task(rates.admit(10, 1))
        await clock.advance(0.2)
        assert small.done()
        assert not large.done()
        large.cancel()
        await settle()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_tokens_not_used_are_given_back() -> None:
    """A call settled below its estimate wakes the next; one beyond it delays the next."""

    async def main() -> None:
        clock = FakeClock(0.0)
        rates = _rates(clock, tpm=60_000)
        first = await rates.admit(1_000)
        second = asyncio.create_task(rates.admit(900))
        await settle()
        assert not second.done()
        rates.settle(first, 50)
        await settle()
        assert second.done()
        rates.settle(await second, 2_900)
        assert rates.wait(1) == pytest.approx(1.951)

    asyncio.run(main())


def test_a_reservation_ends_once() -> None:
    """Settling or refunding twice gives nothing back twice."""

    async def main() -> None:
        rates = _rates(FakeClock(0.0), tpm=60_000)
        await rates.admit(1_000)
        place = await rates.admit(0)
        again = await rates.admit(0)
        rates.settle(place, 500)
        rates.settle(place, 0)
        rates.refund(place)
        rates.refund(again)
        rates.refund(again)
        assert rates.wait(1) == pytest.approx(0.501)

    asyncio.run(main())


def test_a_place_given_to_somebody_just_cancelled_goes_to_the_next() -> None:
    """The first is admitted and cancelled in one turn of the loop: the second gets its tokens."""

    async def main() -> None:
        clock = FakeClock(0.0)
        rates = _rates(clock, tpm=60_000)
        await rates.admit(1_000)
        first, second = (asyncio.create_task(rates.admit(1_000)) for _ in range(2))
        await settle()
        clock.now += 1.0
        rates.refund(rates.take(0))
        first.cancel()
        await settle()
        assert first.cancelled()
        assert second.done()

    asyncio.run(main())


def test_shutting_wakes_everybody() -> None:
    """Waiters and newcomers get StoppedError, and no alarm is left."""

    async def main() -> None:
        rates = _rates(FakeClock(0.0), rpm=1)
        await rates.admit()
        waiter = asyncio.create_task(rates.admit())
        await settle()
        rates.shut()
        with pytest.raises(StoppedError):
            await waiter
        with pytest.raises(StoppedError):
            await rates.admit()
        await settle()
        assert (rates.waiting, asyncio.all_tasks()) == (0, {asyncio.current_task()})

    asyncio.run(main())


@pytest.mark.parametrize("limit", [0, -1, math.nan, math.inf, True, "600"])
def test_a_limit_that_cannot_be_is_refused(limit: object) -> None:
    """The message names the value."""
    with pytest.raises(ConfigError, match=str(limit)):
        Rates(rpm=limit)  # type: ignore[arg-type]


def test_a_cascade_holds_everybody_and_a_stray_nobody() -> None:
    """One rejection: nobody waits. Ten: one Change, all wait for Retry-After and at most a quarter second more."""

    async def main() -> None:
        clock = FakeClock(0.0)
        rates = _rates(clock)
        places = [await rates.admit() for _ in range(10)]
        assert rates.rejected(places[0].started_at, 5.0) is None
        assert rates.opens_in == 0
        changes = [rates.rejected(place.started_at, 5.0) for place in places[1:]]
        assert sum(change is not None for change in changes) == rates.events == 1
        assert rates.changes[-1].reason == "rejections came one after the other"
        for place in places:
            rates.refund(place)
        waiter = asyncio.create_task(rates.admit())
        await clock.advance(4.9)
        assert not waiter.done()
        await clock.advance(5.4)
        assert waiter.done()

    asyncio.run(main())


def test_headers_make_and_change_the_limits() -> None:
    """What was unlimited gets a bucket, a new limit replaces it, with a sentence each; the same again is silent."""
    rates = _rates(FakeClock(0.0))
    (made,) = rates.observe(_openai("requests", 600, 599))
    assert (made.change, made.reason) == ("requests unlimited -> 600 a minute", "the server's headers say so")
    (changed,) = rates.observe(_openai("requests", 300, 299))
    assert changed.change == "requests 600 -> 300 a minute"
    assert rates.observe(_openai("requests", 300, 298)) == []


def test_the_operators_lower_limit_stays() -> None:
    """The server allows 600; configured are 60: 60 it is. Configured are 1,200: 600 it is."""
    assert _rates(FakeClock(), rpm=60).observe(_openai("requests", 600, 590)) == []
    (change,) = _rates(FakeClock(), rpm=1_200).observe(_openai("requests", 600, 590))
    assert change.change == "requests 1200 -> 600 a minute"


def test_what_is_left_is_followed_from_the_call_it_speaks_of() -> None:
    """The server still has 500 of 600: these may go at once, less what was sent since and the margin."""

    async def main() -> None:
        rates = _rates(FakeClock(0.0), rpm=600)
        place = await rates.admit()
        for _ in range(5):
            await rates.admit()
        rates.observe(_openai("requests", 600, 500), place)
        free = 0
        while rates.wait(0) <= 0:
            rates.take(0)
            free += 1
        assert free == 500 - 6 - 5

    asyncio.run(main())


def test_older_news_does_not_undo_newer() -> None:
    """An answer to an earlier call that comes late changes nothing of what is left."""

    async def main() -> None:
        rates = _rates(FakeClock(0.0), rpm=600)
        early, late = await rates.admit(), await rates.admit()
        rates.observe(_openai("requests", 600, 0, "60s"), late)
        wait = rates.wait(0)
        assert wait > 0
        rates.observe(_openai("requests", 600, 600), early)
        assert rates.wait(0) == pytest.approx(wait)

    asyncio.run(main())


def test_a_quota_that_keeps_a_few_seconds_worth_is_no_window() -> None:
    """1,200 a minute of which 100 are kept: whole again in 5 s, and yet nobody waits for that."""

    async def main() -> None:
        clock = FakeClock()
        rates = _rates(clock)
        for left in (99, 50, 5):
            reset = f"{(100 - left) / 20:.3f}s"
            rates.observe(_openai("requests", 1200, left, reset), await rates.admit())
        assert 0 < rates.wait(0) <= 1.0

    asyncio.run(main())


def test_a_window_of_fixed_times_is_waited_for() -> None:
    """Nothing left and whole again in five seconds: that is a window; whole again in sixty: that flows in evenly."""

    async def main() -> None:
        for reset, expected in (("5s", 5.0), ("60s", 0.7)):
            rates = _rates(FakeClock(0.0), rpm=600)
            rates.observe(_openai("requests", 600, 0, reset), await rates.admit())
            assert rates.wait(0) == pytest.approx(expected, abs=0.05)

    asyncio.run(main())


def test_anthropics_headers_are_read() -> None:
    """Limits, what is left, and a reset that is a moment in RFC 3339."""
    headers = {
        "Anthropic-RateLimit-Requests-Limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "1970-01-01T00:16:42Z",
        "anthropic-ratelimit-tokens-limit": "40000",
    }
    requests, tokens = read(headers, wall=1_000.0)
    assert (requests.kind, requests.limit, requests.remaining, requests.reset_s) == ("requests", 50, 49, 2.0)
    assert (tokens.kind, tokens.limit, tokens.remaining) == ("tokens", 40_000, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6m0s", 360.0),
        ("120ms", 0.12),
        ("1s", 1.0),
        ("1h2m3.5s", 3723.5),
        ("17.5", 17.5),
        ("0s", 0.0),
        ("1970-01-01T00:00:30+00:00", 20.0),
        ("1970-01-01T00:00:05Z", 0.0),
        ("", None),
        ("-1s", None),
        ("nan", None),
        ("1e9", None),
        ("soon", None),
        ("1s and a bit", None),
        ("9" * 200, None),
        ("9999999d", None),
        ("2026-13-45T00:00:00Z", None),
    ],
)
def test_spans_and_moments(text: str, expected: float | None) -> None:
    """Spans as OpenAI writes them and moments give seconds from now; nonsense gives nothing."""
    assert seconds(text, 10.0) == (None if expected is None else pytest.approx(expected))


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(
        st.one_of(st.text(max_size=30), st.integers().map(str), st.floats().map(str)), min_size=6, max_size=6
    )
)
def test_any_header_is_survived(values: list[str]) -> None:
    """Whatever the headers hold, no error, and no wait that is not a number of seconds."""

    async def main() -> None:
        rates = _rates(FakeClock(0.0), rpm=600)
        place = await rates.admit(10)
        names = [
            f"x-ratelimit-{fact}-{kind}" for fact in ("limit", "remaining", "reset") for kind in ("requests", "tokens")
        ]
        rates.observe(dict(zip(names, values, strict=True)), place)
        rates.observe(dict(zip(names, values, strict=True)))
        assert 0 <= rates.wait(10) < 7 * 86_400 + 120

    asyncio.run(main())


def test_repr_shows_the_live_state() -> None:
    """The name, the buckets, the pace and who waits."""
    assert repr(_rates(FakeClock())).startswith("<Rates vllm unlimited, <Pacer pace none, 0 events")
    assert "requests <Bucket 10.0/10, 600 a minute>" in repr(_rates(FakeClock(), rpm=600))


class RatesMachine(RuleBasedStateMachine):
    """Storms of callers, cancellations, settlements, refunds, rejections and headers on virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = FakeClock(0.0)
        self.rates = Rates(600, 60_000, self.clock, random.Random(2))
        self.callers: list[asyncio.Task[Reservation]] = []
        self.places: list[Reservation] = []

    def _go(self, seconds: float = 0.0) -> None:
        async def go() -> None:
            await self.clock.advance(seconds)

        self.runner.run(go())
        for task in [task for task in self.callers if task.done()]:
            self.callers.remove(task)
            if not task.cancelled():
                self.places.append(task.result())

    @rule(count=st.integers(1, 30), tokens=st.integers(0, 5_000), priority=st.integers(0, 9))
    def come(self, count: int, tokens: int, priority: int) -> None:
        loop = self.runner.get_loop()
        self.callers += [loop.create_task(self.rates.admit(tokens, priority)) for _ in range(count)]
        self._go()

    @rule(share=st.floats(0, 1), seed=st.integers(0, 999))
    def cancel(self, share: float, seed: int) -> None:
        rng = random.Random(seed)
        for task in self.callers:
            if rng.random() < share:
                task.cancel()
        self._go()

    @rule(share=st.floats(0, 1), seconds=st.floats(0.001, 5))
    def cancel_as_they_are_woken(self, share: float, seconds: float) -> None:
        """Cancellation and admission in the same turn of the loop: the place goes to somebody else."""

        async def move_and_cancel() -> None:
            self.clock.now += seconds
            self.rates._line.move()
            for task in self.callers[: int(share * len(self.callers))]:
                task.cancel()

        self.runner.run(move_and_cancel())
        self._go()

    @precondition(lambda self: self.places)
    @rule(n=st.integers(0, 99), used=st.integers(0, 9_000), end=st.sampled_from(["settle", "refund", "reject"]))
    def end(self, n: int, used: int, end: str) -> None:
        place = self.places.pop(n % len(self.places))
        self.runner.run(self._end(place, used, end))
        self._go()

    async def _end(self, place: Reservation, used: int, end: str) -> None:
        if end == "settle":
            self.rates.settle(place, used)
            return
        if end == "reject":
            self.rates.rejected(place.started_at, used / 1_000)
        self.rates.refund(place)

    @precondition(lambda self: self.places)
    @rule(n=st.integers(0, 99), limit=st.integers(60, 1_200), left=st.floats(0, 1))
    def tell(self, n: int, limit: int, left: float) -> None:
        async def tell() -> None:
            self.rates.observe(_openai("requests", limit, int(limit * left)), self.places[n % len(self.places)])

        self.runner.run(tell())
        self._go()

    @rule(seconds=st.floats(0.001, 30))
    def wait(self, seconds: float) -> None:
        self._go(seconds)

    @invariant()
    def nobody_is_forgotten(self) -> None:
        """Who is counted as waiting is who waits, and while somebody waits an alarm is set."""
        assert self.rates.waiting == len(self.callers)
        alarms = [task for task in asyncio.all_tasks(self.runner.get_loop()) if task not in self.callers]
        assert len(alarms) == (1 if self.callers else 0)

    @invariant()
    def buckets_hold_no_more_than_their_size(self) -> None:
        """Whatever was refunded, settled or told."""
        assert all(bucket.level <= bucket.size for bucket in self.rates._buckets.values())

    def teardown(self) -> None:
        for task in self.callers:
            task.cancel()
        self._go(0.1)
        assert self.rates.waiting == 0
        assert asyncio.all_tasks(self.runner.get_loop()) == set()
        self.runner.close()


RatesMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestRatesMachine = RatesMachine.TestCase


@settings(max_examples=40, deadline=None)
@given(
    calls=st.lists(st.tuples(st.integers(0, 3_000), st.floats(0, 3), st.booleans()), min_size=1, max_size=60),
)
def test_no_window_admits_more_than_the_quota(calls: list[tuple[int, float, bool]]) -> None:
    """However callers come and are cancelled, no minute sees more requests or tokens than quota, burst and one call."""

    async def main() -> None:
        clock, seen = FakeClock(0.0), []
        rates = Rates(120, 60_000, clock, random.Random(1))

        async def call(tokens: int) -> None:
            await rates.admit(tokens)
            seen.append((clock.now, tokens))

        tasks = []
        for tokens, pause, cancelled in calls:
            tasks.append(asyncio.create_task(call(tokens)))
            await clock.advance(pause)
            if cancelled:
                tasks[len(tasks) // 2].cancel()
        await clock.advance(600)
        await asyncio.gather(*tasks, return_exceptions=True)
        for start, _ in seen:
            minute = [tokens for at, tokens in seen if start <= at < start + 60]
            assert len(minute) <= 120 + 2
            assert sum(minute) <= 60_000 + 1_000 + 3_000
        assert all(task.done() for task in tasks)
        assert rates.waiting == 0

    asyncio.run(main())
