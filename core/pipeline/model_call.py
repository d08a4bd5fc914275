"""One model call of one node: along its chain of models, through gate, budget, ledger and retries.

The order of FAULTS: commit the attempt, send, then result, usage and cost in one transaction. A call that waits to
try again holds no permit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from core.base.allocation import Allocation
from core.base.errors import BrokenReplyError, ModelError, RateLimitedError, RejectedError, ServerFaultError
from core.base.records import (
    Attempt,
    Message,
    ModelReply,
    ModelRequest,
    NodeResult,
    Outcome,
    RunStatus,
    Settlement,
)
from core.flow import StoppedError
from core.models.tokens import estimate_tokens
from core.pipeline.context import Context
from core.pipeline.pool import Pool
from core.pipeline.prompts import input_hash
from core.pipeline.routes import Route
from core.pipeline.seats import Admission, Seat
from core.pipeline.verdict import Tries, Verdict, judge, may_have_cost, outcome_of, reason_of, state_of, unreachable

Accept = Callable[[ModelReply, Route, Decimal | None, str, tuple[str, ...]], Sequence[NodeResult]]


@dataclass(frozen=True, slots=True)
class Job:
    """What a node wants of a model. `render(keep)` gives the messages with that share of the evidence; `accept`
    makes results of a reply or raises MalformedError; `allocate` says which models, asked again before every try, so
    that a change reaches the very next call; on its `last_chance` an outage is the call's failure, not the run's."""

    item_id: str
    stage: str
    parts: tuple[str, ...]
    priority: float
    allocate: Callable[[], Allocation]
    attempts: int
    timeout_s: float
    as_json: bool
    render: Callable[[float], tuple[Message, ...]]
    accept: Accept
    last_chance: bool = False


class ModelCallFailed(Exception):  # noqa: N818 - internal signal, not an error of the tree
    """Every model of the chain was tried; `error` is the last failure."""

    def __init__(self, error: ModelError) -> None:
        super().__init__(str(error))
        self.error = error


class ModelCall:
    """A job on its way; `run` gives the committed results."""

    def __init__(self, context: Context, job: Job) -> None:
        self.context = context
        self.job = job
        self.number = 0
        self.position = 0
        self.flags: tuple[str, ...] = ()
        self._show(1.0)

    def _show(self, share: float) -> None:
        """Render the prompt with that share of the evidence."""
        self.messages = self.job.render(share)
        self.tokens = sum(estimate_tokens(message.content) for message in self.messages)

    async def run(self) -> Sequence[NodeResult]:
        """Try the chain model by model; ModelCallFailed when it is exhausted, StoppedError when the run halts."""
        self.context.retries.call()
        while True:
            try:
                return await self._on_one_model()
            except ModelError as error:
                self._fall_back(error)

    async def _on_one_model(self) -> Sequence[NodeResult]:
        tries = Tries(most=self.job.attempts)
        while True:
            try:
                return await self._once(tries)
            except ModelError as error:
                if not await self._go_on(error, tries):
                    raise

    def _fall_back(self, error: ModelError) -> None:
        """Move on to the next model of the chain; where there is none, give up or, if nobody answers, halt."""
        self.position += 1
        if self.position < len(self.job.allocate().chain):
            self.context.counters.fallbacks += 1
            self.flags = (*self.flags, "fallback")
            return
        if unreachable(error) and not self.job.last_chance:
            self._halt(error)
        raise ModelCallFailed(error) from error

    async def _go_on(self, error: ModelError, tries: Tries) -> bool:
        """Prepare the next try on the same model; False to leave it."""
        verdict = judge(error, tries)
        if verdict is Verdict.HALT:
            self._halt(error)
        if verdict is Verdict.REFUSE:
            raise ModelCallFailed(error) from error
        if verdict is Verdict.NEXT_MODEL or not self._may_retry(error, tries):
            return False
        if verdict is Verdict.TRIM:
            self._show(0.5)
            self.flags = (*self.flags, "trimmed")
        else:
            await self.context.clock.sleep(self._wait(error, tries))
        return True

    def _wait(self, error: ModelError, tries: Tries) -> float:
        """Seconds until the next try: what the server said, else a back-off; none where the breaker makes it wait."""
        if tries.excused:
            return 0.0
        told = error.retry_after if isinstance(error, RateLimitedError | ServerFaultError) else None
        backoff = self.context.backoff
        return told + backoff.rng.uniform(0.0, 0.05) if told else backoff.wait(tries.failed + tries.rejected - 1)

    def _may_retry(self, error: ModelError, tries: Tries) -> bool:
        self.context.counters.retries += 1
        if isinstance(error, RateLimitedError):
            self.context.counters.rate_limited += 1
            return True
        return tries.excused or self.context.retries.spend()

    def _halt(self, error: ModelError) -> None:
        self.context.halt(RunStatus.PAUSED, reason_of(error, self.context.clock.wall()))
        raise StoppedError(str(error)) from error

    def _now(self) -> tuple[Allocation, Pool]:
        """The allocation as it stands, and where its model at this place of the chain is served."""
        allocation = self.job.allocate()
        return allocation, self.context.pool(allocation.chain[min(self.position, len(allocation.fallback))])

    async def _once(self, tries: Tries) -> Sequence[NodeResult]:
        last = self.position >= len(self.job.allocate().fallback)
        tokens = self.tokens + self.job.allocate().max_tokens
        admission = Admission(self.context, self._now, self.job.priority, self.job.item_id)
        self.context.queued += 1
        try:
            seat = await admission.seat(tokens, last=last)
        finally:
            self.context.queued -= 1
        attempt, attempt_id = await self._begin(seat)
        sent = self.context.clock.monotonic()
        reply = await self._send(seat, attempt_id, attempt, tries)
        service_s = self.context.clock.monotonic() - sent
        return await self._settle(seat.route, attempt_id, attempt, reply, service_s)

    async def _begin(self, seat: Seat) -> tuple[Attempt, int]:
        """Reserve the money and commit the attempt; the seat is given back where that fails."""
        attempt = self._attempt(seat)
        reserved = False
        try:
            self._reserve(attempt)
            reserved = True
            return attempt, await self.context.recorder.begin(attempt)
        except BaseException:
            seat.unused()
            if reserved:
                self.context.budget.settle(attempt.reserved_usd, None)
            raise

    def _attempt(self, seat: Seat) -> Attempt:
        self.number += 1
        job, route, allocation = self.job, seat.route, seat.allocation
        return Attempt(
            run_id=self.context.run_id,
            item_id=job.item_id,
            stage=job.stage,
            parts=job.parts,
            input_hash=input_hash(self.messages, route.model, allocation.max_tokens, allocation.temperature),
            number=self.number,
            resource="llm",
            endpoint=route.endpoint,
            model=route.model,
            max_tokens=allocation.max_tokens,
            temperature=allocation.temperature,
            started_at=self.context.clock.wall(),
            queue_s=seat.queue_s,
            reserved_usd=route.pricing.ceiling(route.model, self.tokens, allocation.max_tokens),
        )

    def _reserve(self, attempt: Attempt) -> None:
        budget = self.context.budget
        if not budget.reserve(attempt.reserved_usd):
            spent = f"{budget.settled:.6f} spent, {budget.reserved:.6f} in flight"
            reason = f"The budget of {budget.limit} USD is reached: {spent}."
            self.context.halt(RunStatus.BUDGET, reason)
            raise StoppedError(reason)

    def _request(self, route: Route, attempt: Attempt) -> ModelRequest:
        return ModelRequest(
            model=route.model,
            messages=self.messages,
            max_tokens=attempt.max_tokens or 0,
            temperature=attempt.temperature or 0.0,
            stream=route.stream,
            json=self.job.as_json,
            timeout=self.context.patience.seconds((attempt.stage, route.model), self.job.timeout_s),
        )

    async def _send(self, seat: Seat, attempt_id: int, attempt: Attempt, tries: Tries) -> ModelReply:
        request, clock = self._request(seat.route, attempt), self.context.clock
        sent = clock.monotonic()
        try:
            reply = await seat.route.client.complete(request)
        except ModelError as error:
            self._failed(seat, error, tries, request, clock.monotonic() - sent)
            await self._close(attempt_id, attempt, self._failure(error, attempt, clock.monotonic() - sent))
            raise
        except BaseException as error:
            seat.unused()
            await asyncio.shield(self._close(attempt_id, attempt, _given_up(error, attempt, clock.monotonic() - sent)))
            raise
        seat.answered(reply, clock.monotonic() - sent)
        tries.excused = False
        self.context.patience.answered((attempt.stage, attempt.model), clock.monotonic() - sent)
        return reply

    def _failed(self, seat: Seat, error: ModelError, tries: Tries, request: ModelRequest, seconds: float) -> None:
        """Tell the endpoint's breaker, quota and patience before its permit goes to the next caller.

        A failure while the breaker is open is the endpoint's, not the call's: it burns no try.
        """
        if isinstance(error, RejectedError):
            self.context.halt(RunStatus.PAUSED, str(error))
        if isinstance(error, BrokenReplyError) and seconds >= 0.99 * request.timeout:
            self.context.patience.timed_out((self.job.stage, request.model), request.timeout)
        seat.failed(error)
        passing = seat.endpoint_down and not isinstance(error, RateLimitedError)
        tries.excused = passing and not self.job.last_chance

    def _failure(self, error: ModelError, attempt: Attempt, seconds: float) -> Settlement:
        return Settlement(
            state=state_of(error),
            outcome=outcome_of(error),
            service_s=seconds,
            cost_usd=attempt.reserved_usd if may_have_cost(error) else None,
            error=str(error),
            status=error.status,
        )

    async def _close(
        self, attempt_id: int, attempt: Attempt, settlement: Settlement, results: Sequence[NodeResult] = ()
    ) -> None:
        self.context.budget.settle(attempt.reserved_usd, settlement.cost_usd)
        await self.context.recorder.settle(attempt_id, attempt, settlement, results)

    async def _settle(
        self, route: Route, attempt_id: int, attempt: Attempt, reply: ModelReply, service_s: float
    ) -> Sequence[NodeResult]:
        cost = route.pricing.cost(route.model, reply.usage)
        settlement = Settlement("ok", Outcome.SUCCESS, service_s, reply.ttft, reply.usage, cost)
        try:
            results = self.job.accept(reply, route, cost, attempt.input_hash, self.flags)
        except ModelError as error:
            bad = replace(settlement, state=state_of(error), outcome=Outcome.IGNORED, error=str(error))
            await self._close(attempt_id, attempt, bad)
            raise
        except Exception as error:
            text = f"Unexpected {type(error).__name__}: {error}"
            await self._close(attempt_id, attempt, replace(settlement, state="failed", error=text))
            raise
        await self._close(attempt_id, attempt, settlement, results)
        return results


def _given_up(error: BaseException, attempt: Attempt, seconds: float) -> Settlement:
    """A call that was cancelled, or that a bug ended: what it may have cost stays reserved."""
    if isinstance(error, asyncio.CancelledError):
        return Settlement("cancelled", Outcome.IGNORED, seconds, cost_usd=attempt.reserved_usd)
    text = f"Unexpected {type(error).__name__}: {error}"
    return Settlement("failed", Outcome.IGNORED, seconds, cost_usd=attempt.reserved_usd, error=text)
