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
from core.base.errors import ModelError, RateLimitedError, RejectedError
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
from core.pipeline.context import Context, Route
from core.pipeline.prompts import input_hash
from core.pipeline.verdict import (
    LONGEST_COOL_DOWN_S,
    Tries,
    Verdict,
    judge,
    may_have_cost,
    outcome_of,
    state_of,
    unreachable,
)

Accept = Callable[[ModelReply, Route, Decimal | None, str, tuple[str, ...]], Sequence[NodeResult]]


@dataclass(frozen=True, slots=True)
class Job:
    """What a node wants of a model. `render(keep)` gives the messages with that share of the evidence; `accept`
    makes results of a reply or raises MalformedError; `allocate` says which models, asked again before every try, so
    that a change reaches the very next call."""

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
        self.messages = job.render(1.0)
        self.flags: tuple[str, ...] = ()

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
                return await self._once()
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
        if unreachable(error):
            self._halt(error)
        raise ModelCallFailed(error) from error

    def _now(self) -> tuple[Allocation, Route]:
        """The allocation as it stands, and where its model at this place of the chain is served."""
        allocation = self.job.allocate()
        return allocation, self.context.route(allocation.chain[min(self.position, len(allocation.fallback))])

    async def _go_on(self, error: ModelError, tries: Tries) -> bool:
        """Prepare the next try on the same model; False to leave it."""
        verdict = judge(error, tries)
        if verdict is Verdict.HALT:
            self._halt(error)
        if verdict is Verdict.REFUSE:
            raise ModelCallFailed(error) from error
        if verdict is Verdict.NEXT_MODEL or not self._may_retry(error):
            return False
        if verdict is Verdict.TRIM:
            self._trim()
        elif verdict is Verdict.RETRY:
            await self.context.clock.sleep(self.context.backoff.wait(tries.failed + tries.rejected - 1))
        return True

    def _may_retry(self, error: ModelError) -> bool:
        self.context.counters.retries += 1
        if isinstance(error, RateLimitedError):
            self.context.counters.rate_limited += 1
            return True
        return self.context.retries.spend()

    def _trim(self) -> None:
        self.messages = self.job.render(0.5)
        self.flags = (*self.flags, "trimmed")

    def _halt(self, error: ModelError) -> None:
        self.context.halt(RunStatus.PAUSED, str(error))
        raise StoppedError(str(error)) from error

    async def _once(self) -> Sequence[NodeResult]:
        gate = self.context.gates["llm"]
        queued = self.context.clock.monotonic()
        await gate.acquire(self.job.priority)
        try:
            allocation, route = self._now()
            attempt = self._attempt(allocation, route, self.context.clock.monotonic() - queued)
            self._reserve(attempt)
            attempt_id = await self._begin(attempt)
            sent = self.context.clock.monotonic()
            reply = await self._send(route, attempt_id, attempt, sent)
        finally:
            gate.release()
        return await self._settle(route, attempt_id, attempt, reply, self.context.clock.monotonic() - sent)

    def _attempt(self, allocation: Allocation, route: Route, queue_s: float) -> Attempt:
        self.number += 1
        job = self.job
        tokens = sum(estimate_tokens(m.content) for m in self.messages)
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
            queue_s=queue_s,
            reserved_usd=route.pricing.ceiling(route.model, tokens, allocation.max_tokens),
        )

    def _reserve(self, attempt: Attempt) -> None:
        budget = self.context.budget
        if not budget.reserve(attempt.reserved_usd):
            spent = f"{budget.settled:.6f} spent, {budget.reserved:.6f} in flight"
            reason = f"The budget of {budget.limit} USD is reached: {spent}."
            self.context.halt(RunStatus.BUDGET, reason)
            raise StoppedError(reason)

    async def _begin(self, attempt: Attempt) -> int:
        try:
            return await self.context.recorder.begin(attempt)
        except BaseException:
            self.context.budget.settle(attempt.reserved_usd, None)
            raise

    def _request(self, route: Route, attempt: Attempt) -> ModelRequest:
        return ModelRequest(
            model=route.model,
            messages=self.messages,
            max_tokens=attempt.max_tokens or 0,
            temperature=attempt.temperature or 0.0,
            stream=route.stream,
            json=self.job.as_json,
            timeout=self.job.timeout_s,
        )

    async def _send(self, route: Route, attempt_id: int, attempt: Attempt, sent: float) -> ModelReply:
        try:
            return await route.client.complete(self._request(route, attempt))
        except ModelError as error:
            self._warn_the_others(error)
            await self._close(attempt_id, attempt, self._failure(error, attempt, sent))
            raise
        except asyncio.CancelledError:
            gone = Settlement(
                "cancelled", Outcome.IGNORED, self.context.clock.monotonic() - sent, cost_usd=attempt.reserved_usd
            )
            await asyncio.shield(self._close(attempt_id, attempt, gone))
            raise

    def _warn_the_others(self, error: ModelError) -> None:
        """Close the gate before this call's permit can go to the next: a rejection slows or stops all callers, once."""
        if isinstance(error, RejectedError):
            self.context.halt(RunStatus.PAUSED, str(error))
        elif isinstance(error, RateLimitedError) and error.retry_after is not None:
            jitter = self.context.backoff.rng.uniform(0.0, 0.05)
            self.context.gates["llm"].cool_down(min(error.retry_after, LONGEST_COOL_DOWN_S) + jitter)

    def _failure(self, error: ModelError, attempt: Attempt, sent: float) -> Settlement:
        return Settlement(
            state=state_of(error),
            outcome=outcome_of(error),
            service_s=self.context.clock.monotonic() - sent,
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
        await self._close(attempt_id, attempt, settlement, results)
        return results
