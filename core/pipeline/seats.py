"""A seat for a call: a permit of the run, a place on a healthy endpoint and room in its quota, all or none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from core.base.allocation import Allocation
from core.base.errors import ModelError, RateLimitedError, RefusedError, UnreachableError
from core.base.records import ModelReply, Outcome, Usage
from core.flow import BreakerState, Gate, Load, Reservation, StoppedError
from core.flow.limits import Sample
from core.pipeline.context import Context
from core.pipeline.pool import Lane, Pool
from core.pipeline.routes import Route
from core.pipeline.verdict import outcome_of

PROBING_S = 0.1
T = TypeVar("T")
Now = Callable[[], tuple[Allocation, Pool]]


class OutageError(UnreachableError):
    """Every endpoint of a model is down: for too long, or while another model of the chain may answer."""

    retryable = False


@dataclass(slots=True)
class Seat:
    """What a call holds while it is in flight. Exactly one of answered, failed and unused ends it.

    gates: whose permits it gives back: the stage's, the pool's, the run's. boarded_at: when the breaker let it pass.
    Its reservation is older: a probe judged by that would be taken for a call
    from before the outage, and the breaker would wait for its answer for ever.
    """

    gates: tuple[Gate, ...]
    pool: Pool
    lane: Lane
    route: Route
    reservation: Reservation
    allocation: Allocation
    queue_s: float
    boarded_at: float
    sent_at: float | None = None
    crowd: int = 0

    def sent(self, at: float) -> None:
        """The request leaves now (monotonic seconds): its latency begins, whatever it waited for before."""
        self.sent_at, self.crowd = at, self.lane.in_flight
        if self.lane.watch is not None:
            self.lane.watch.started(at, self.crowd)

    @property
    def endpoint_down(self) -> bool:
        """Whether the endpoint's breaker has opened."""
        return self.lane.breaker.state is not BreakerState.CLOSED

    def answered(self, reply: ModelReply, seconds: float) -> None:
        """The endpoint answered."""
        before = self.lane.breaker.state
        self.lane.answered(seconds)
        self.lane.breaker.succeeded(self.boarded_at)
        self.lane.rates.settle(self.reservation, Load(reply.usage.input_tokens, reply.usage.output_tokens))
        if reply.quota:
            self.lane.rates.observe(reply.quota, self.reservation)
        self._tell(Outcome.SUCCESS, seconds, reply.usage, reply.ttft)
        self._turn(before, seconds)
        self._leave()

    def failed(self, error: ModelError, seconds: float) -> None:
        """The endpoint rejected the call or failed it. A cascade slows all its callers before the permit is free.

        Where its lane is tuned, a rejection that speaks of calls in flight is for the tuning, not for the pace.
        """
        rates, breaker, before = self.lane.rates, self.lane.breaker, self.lane.breaker.state
        if isinstance(error, RateLimitedError):
            self.lane.rejected(error, self.reservation.started_at)
            rates.refund(self.reservation)
        else:
            rates.settle(self.reservation, self.reservation.load)
        works = isinstance(error, RateLimitedError | RefusedError) or error.status in (400, 413)
        (breaker.succeeded if works else breaker.failed)(self.boarded_at)
        self.lane.trouble = str(error)
        self._tell(outcome_of(error), seconds, busy=error.busy)
        self._turn(before, seconds)
        self._leave()

    def unused(self, seconds: float = 0.0) -> None:
        """Nothing was sent, or the call was given up by us after so long: it says nothing of the endpoint."""
        self.lane.breaker.cancelled(self.boarded_at)
        self.lane.rates.refund(self.reservation)
        self._tell(Outcome.IGNORED, seconds)
        self._leave()

    def _tell(
        self,
        outcome: Outcome,
        seconds: float,
        usage: Usage | None = None,
        ttft_s: float | None = None,
        *,
        busy: bool = False,
    ) -> None:
        """Feed the tuning of the lane, where a request was sent."""
        watch, sent = self.lane.watch, self.sent_at
        if watch is not None and sent is not None:
            tokens = (usage.input_tokens, usage.output_tokens) if usage else (0, 0)
            held_s = sent - self.boarded_at
            watch.ended(Sample(sent, sent + seconds, outcome, self.crowd, *tokens, ttft_s, busy, held_s))

    def _turn(self, before: BreakerState, seconds: float) -> None:
        self.lane.turned(before, (self.sent_at or self.boarded_at) + seconds)

    def _leave(self) -> None:
        self.lane.in_flight -= 1
        self.pool.resize()
        for gate in reversed(self.gates):
            gate.release()


class Admission:
    """Waits for a seat for one call. `now` says which models and where, asked again after every wait.

    Permits are taken in one order, the stage's, then the pool's, then the run's, so that no two calls wait for each
    other; the run's permit, which every stage needs, is never held while waiting for another.
    """

    def __init__(self, context: Context, now: Now, stage: str, priority: float, item_id: str) -> None:
        self._context = context
        self._stage = context.stage_gates[stage]
        self._gate = context.gates["llm"]
        self._clock = context.clock
        self._now = now
        self._priority = priority
        self._item_id = item_id

    async def seat(self, tokens: Load, *, last: bool) -> Seat:
        """A seat for a call of about so many tokens.

        OutageError when the pool is down and this is not the last model of the chain, or when it has been down for too
        long; StoppedError when the run halts.
        """
        began = self._clock.monotonic()
        while True:
            _, pool = self._now()
            held = await self._held(pool, tokens)
            if held is None:
                await self._room(pool, last=last)
                continue
            now, current = self._now()
            boarded = self._clock.monotonic()
            lane, reservation = held
            gates = (self._stage, pool.places, self._gate)
            seat = Seat(gates, pool, lane, pool.routes[lane.name], reservation, now, boarded - began, boarded)
            if current is pool:
                return seat
            seat.unused()

    async def _held(self, pool: Pool, tokens: Load) -> tuple[Lane, Reservation] | None:
        """Permits of all three, a lane and its reservation; None, holding nothing, when there is no lane to be had."""
        await self._stage.acquire(self._priority)
        found = None
        try:
            found = await self._placed(pool, tokens)
        finally:
            if found is None:
                self._stage.release()
        return found

    async def _placed(self, pool: Pool, tokens: Load) -> tuple[Lane, Reservation] | None:
        await pool.places.acquire(self._priority)
        found = None
        try:
            found = await self._permitted(pool, tokens)
        finally:
            if found is None:
                pool.places.release()
        return found

    async def _permitted(self, pool: Pool, tokens: Load) -> tuple[Lane, Reservation] | None:
        await self._gate.acquire(self._priority)
        lane = pool.pick(self._item_id)
        if lane is None:
            self._gate.release()
            return None
        if not (lane.rates.waiting or lane.rates.wait(tokens)):
            return self._boarded(lane, lane.rates.take(tokens))
        self._gate.release()
        return await self._after_the_rates(pool, lane, tokens)

    async def _after_the_rates(self, pool: Pool, lane: Lane, tokens: Load) -> tuple[Lane, Reservation] | None:
        """Wait for the endpoint's quota without a permit of the run, then for a permit."""
        reservation = await self._unless_halted(lane.rates.admit(tokens, self._priority))
        try:
            await self._gate.acquire(self._priority)
        except BaseException:
            lane.rates.refund(reservation)
            raise
        if pool.takes(lane):
            return self._boarded(lane, reservation)
        self._gate.release()
        lane.rates.refund(reservation)
        return None

    def _boarded(self, lane: Lane, reservation: Reservation) -> tuple[Lane, Reservation]:
        lane.breaker.allow()
        lane.boarded()
        return lane, reservation

    async def _room(self, pool: Pool, *, last: bool) -> None:
        """Wait until a lane may have room or may be probed; OutageError where that is pointless."""
        if pool.down and (pool.lost or not last):
            raise OutageError(f"No endpoint answers. {pool.reason}")
        await self._unless_halted(self._clock.sleep(max(pool.wait_s, PROBING_S)))

    async def _unless_halted(self, wait: Coroutine[Any, Any, T]) -> T:
        """Wait for something that may take long; StoppedError as soon as the run halts."""
        waiting = asyncio.ensure_future(wait)
        halting = asyncio.ensure_future(self._context.stopping.wait())
        try:
            await asyncio.wait({waiting, halting}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise StoppedError("The run halts.")
            return waiting.result()
        finally:
            halting.cancel()
            waiting.cancel()
