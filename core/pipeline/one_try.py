"""One try of a model call: a seat, a committed attempt, the request, and how it ended in the ledger.

The order of the protocol: commit the attempt, send, then result, usage and cost in one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import NoReturn

from core.base.allocation import Allocation
from core.base.errors import BrokenReplyError, DaySpentError, ModelError, RateLimitedError, RejectedError
from core.base.records import Attempt, ModelReply, ModelRequest, NodeResult, RunStatus, Settlement
from core.flow import Load, StoppedError, Took, Waits
from core.pipeline.asking import TRUNCATED, Asking
from core.pipeline.context import Context
from core.pipeline.late import unless_late
from core.pipeline.pool import Pool
from core.pipeline.routes import Route
from core.pipeline.seats import Admission, Seat
from core.pipeline.settlements import answered, failed, given_up, unusable
from core.pipeline.verdict import Tries


class OneTry:
    """One try of what is asked, counted in `tries`; `run` gives the committed results."""

    def __init__(self, context: Context, asking: Asking, tries: Tries) -> None:
        self._context = context
        self._asking = asking
        self._job = asking.job
        self._tries = tries

    async def run(self) -> Sequence[NodeResult]:
        """Ask once: ModelError for what failed, StoppedError when the run halts or has no money."""
        seat = await self._seat()
        attempt, attempt_id = await self._begin(seat)
        clock = self._context.clock
        sent = clock.monotonic()
        reply, cost = await self._send(seat, attempt_id, attempt)
        settlement = answered(reply, clock.monotonic() - sent, cost)
        return await self._settle(seat.route, attempt_id, attempt, reply, settlement)

    # Before the request

    async def _seat(self) -> Seat:
        context, asking, job = self._context, self._asking, self._job
        tokens, last = Load(asking.tokens, asking.allocation.max_tokens), asking.on_last_model
        admission = Admission(context, self._now, job.stage, job.priority, job.item_id)
        context.queued += 1
        try:
            return await admission.seat(tokens, last=last)
        finally:
            context.queued -= 1

    def _now(self) -> tuple[Allocation, Pool]:
        """The allocation as it stands, and where its model at this place of the chain is served."""
        allocation = self._asking.allocation
        position = min(self._asking.position, len(allocation.fallback))
        return allocation, self._context.pool(allocation.chain[position] if position else allocation.model)

    async def _begin(self, seat: Seat) -> tuple[Attempt, int]:
        """Reserve the money and commit the attempt; the seat is given back where that fails."""
        attempt = self._attempt(seat)
        reserved = False
        try:
            self._reserve(attempt)
            reserved = True
            return attempt, await self._context.recorder.begin(attempt)
        except BaseException as error:
            seat.unused()
            if reserved:
                self._context.budget.settle(attempt.reserved_usd, None)
            if isinstance(error, DaySpentError):
                self._stop(str(error))
            raise

    def _attempt(self, seat: Seat) -> Attempt:
        asking, job, route, allocation = self._asking, self._job, seat.route, seat.allocation
        asking.number += 1
        return Attempt(
            run_id=self._context.run_id,
            item_id=job.item_id,
            stage=job.stage,
            parts=job.parts,
            input_hash=asking.hash(route.model, allocation),
            number=asking.number,
            resource="llm",
            endpoint=route.endpoint,
            model=route.model,
            max_tokens=allocation.max_tokens,
            temperature=allocation.temperature,
            started_at=self._context.clock.wall(),
            queue_s=seat.queue_s,
            reserved_usd=route.ceiling(asking.tokens, allocation.max_tokens, self._share_s(seat)),
            why=asking.fell or allocation.source,
        )

    def _reserve(self, attempt: Attempt) -> None:
        budget = self._context.budget
        if not budget.reserve(attempt.reserved_usd):
            spent = f"{budget.settled:.6f} spent, {budget.reserved:.6f} in flight"
            self._stop(f"The budget of {budget.limit} USD is reached: {spent}.")

    def _stop(self, reason: str) -> NoReturn:
        """No money for this call: the run ends, unless the call has a text that will do."""
        if not self._asking.cut:
            self._context.halt(RunStatus.BUDGET, reason)
        raise StoppedError(reason)

    def _waits(self, model: str, max_tokens: int) -> Waits:
        return self._context.patience.waits(self._job.stage, model, self._job.waits, max_tokens)

    def _share_s(self, seat: Seat) -> float:
        """Seconds of a rented endpoint's time that a call may take: in turn with the others, as they add up."""
        if seat.route.rent is None:
            return 0.0
        return self._waits(seat.route.model, seat.allocation.max_tokens).total / max(1, seat.lane.in_flight)

    # The request

    def _request(self, route: Route, attempt: Attempt) -> ModelRequest:
        waits = self._waits(route.model, attempt.max_tokens or 0)
        return ModelRequest(
            model=route.model,
            messages=self._asking.messages,
            max_tokens=attempt.max_tokens or 0,
            temperature=attempt.temperature or 0.0,
            stream=route.stream,
            json=self._job.as_json,
            timeout=waits.total,
            first_byte=waits.first_byte if route.stream else None,
            idle=waits.idle,
        )

    async def _send(self, seat: Seat, attempt_id: int, attempt: Attempt) -> tuple[ModelReply, Decimal | None]:
        """The reply and what it cost; a failure is settled before it gets out."""
        request, clock = self._request(seat.route, attempt), self._context.clock
        sent = clock.monotonic()
        seat.sent(sent)
        self._tries.latency_s = seat.lane.latency_s
        try:
            with seat.lane.meter.call(clock) as share:
                reply = await self._answer(seat.route, request)
        except ModelError as error:
            self._tell(seat, error, request, clock.monotonic() - sent)
            lost = seat.route.cost(None, share.seconds)
            await self._close(attempt_id, attempt, failed(error, attempt, clock.monotonic() - sent, lost))
            raise
        except BaseException as error:
            seat.unused(clock.monotonic() - sent)
            lost = seat.route.cost(None, share.seconds)
            end = given_up(error, attempt, clock.monotonic() - sent, lost)
            await asyncio.shield(self._close(attempt_id, attempt, end))
            raise
        self._took(seat, reply, request, clock.monotonic() - sent)
        return reply, seat.route.cost(reply.usage, share.seconds)

    async def _answer(self, route: Route, request: ModelRequest) -> ModelReply:
        """The reply; a call that was sent before its deadline was learned is cut once that is."""
        call = route.client.complete(request)
        if request.timeout < self._job.waits.total:
            return await call
        return await unless_late(
            call,
            lambda: self._waits(request.model, request.max_tokens).total,
            request.timeout,
            self._context.clock,
        )

    def _took(self, seat: Seat, reply: ModelReply, request: ModelRequest, seconds: float) -> None:
        """Tell the endpoint and the stage's patience of an answer, and give the permits back."""
        seat.answered(reply, seconds)
        self._tries.excused = False
        took = Took(seconds, reply.ttft, reply.gap)
        self._context.patience.answered(self._job.stage, request.model, took, request.max_tokens)

    def _tell(self, seat: Seat, error: ModelError, request: ModelRequest, seconds: float) -> None:
        """Tell the endpoint's breaker, quota and patience before its permit goes to the next caller.

        A failure while the breaker is open is the endpoint's, not the call's: it burns no try.
        """
        if isinstance(error, RejectedError):
            self._context.halt(RunStatus.PAUSED, str(error))
        if isinstance(error, BrokenReplyError):
            late = error.late or ("total" if seconds >= 0.99 * request.timeout else "")
            waits = Waits(request.timeout, request.first_byte or request.timeout, request.idle or request.timeout)
            self._context.patience.timed_out(self._job.stage, request.model, late, waits, request.max_tokens)
        seat.failed(error, seconds)
        passing = seat.endpoint_down and not isinstance(error, RateLimitedError)
        self._tries.excused = passing and not self._job.last_chance

    # The answer

    async def _settle(
        self, route: Route, attempt_id: int, attempt: Attempt, reply: ModelReply, settlement: Settlement
    ) -> Sequence[NodeResult]:
        """Make results of the reply and commit them with its cost."""
        asking = self._asking
        try:
            results = self._job.accept(reply, route, settlement.cost_usd, asking.first_hash(attempt), asking.flags)
        except Exception as error:
            if isinstance(error, ModelError) and reply.finish == "length":
                asking.more_room()
            await self._close(attempt_id, attempt, unusable(settlement, error))
            raise
        better = results if not asking.cut or _longer(results, asking.cut) else ()
        await self._close(attempt_id, attempt, settlement, better)
        if self._context.cache is not None and reply.finish != "length":
            self._context.cache.keep(asking.key(attempt.input_hash), reply)
        return better or asking.cut

    async def _close(
        self, attempt_id: int, attempt: Attempt, settlement: Settlement, results: Sequence[NodeResult] = ()
    ) -> None:
        self._context.budget.settle(attempt.reserved_usd, settlement.cost_usd)
        await self._context.recorder.settle(attempt_id, attempt, settlement, results)


def _longer(new: Sequence[NodeResult], old: Sequence[NodeResult]) -> bool:
    """Whether an answer with more room is the better one: it came to its end, or says more."""
    complete = not any(TRUNCATED in result.flags for result in new)
    return complete or sum(len(result.text) for result in new) > sum(len(result.text) for result in old)
