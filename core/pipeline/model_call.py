"""One model call of one node: along its chain of models, through gate, budget, ledger and retries.

The order of FAULTS: commit the attempt, send, then result, usage and cost in one transaction. A call that waits to
try again holds no permit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NoReturn

from core.base.allocation import Allocation
from core.base.errors import (
    BrokenReplyError,
    DaySpentError,
    ModelError,
    RateLimitedError,
    RejectedError,
    ServerFaultError,
)
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
from core.flow import Load, StoppedError, Took, Waits
from core.models.tokens import estimate_tokens
from core.pipeline.context import Context
from core.pipeline.late import unless_late
from core.pipeline.pool import Pool
from core.pipeline.prompts import input_hash
from core.pipeline.routes import Route
from core.pipeline.seats import Admission, Seat
from core.pipeline.verdict import Tries, Verdict, judge, may_have_cost, outcome_of, reason_of, state_of, unreachable

WHY = 160
TRUNCATED = "truncated"
MORE_ROOM = 2
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
    waits: Waits
    as_json: bool
    render: Callable[[float], tuple[Message, ...]]
    accept: Accept
    last_chance: bool = False
    fallback_on_refusal: bool = False


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
        self.fell = ""
        self.latency_s = 0.0
        self.room = 1
        self._cut: Sequence[NodeResult] = ()
        self._show(1.0)
        self._whole = self.messages

    def _show(self, share: float) -> None:
        """Render the prompt with that share of the evidence."""
        self.messages = self.job.render(share)
        self.tokens = sum(estimate_tokens(message.content) for message in self.messages)

    async def run(self) -> Sequence[NodeResult]:
        """Try the chain model by model; ModelCallFailed when it is exhausted, StoppedError when the run halts."""
        known = await self._known()
        if known:
            return known
        self.context.retries.call()
        while True:
            try:
                return await self._uncut(await self._on_one_model(Tries(most=self.job.attempts)))
            except ModelError as error:
                self._fall_back(error)

    async def _known(self) -> Sequence[NodeResult]:
        """The results of an answer that an earlier run has paid for; none without one."""
        cache, allocation = self.context.cache, self._allocation()
        if cache is None:
            return ()
        digest = input_hash(self.messages, allocation.model, allocation.max_tokens, allocation.temperature)
        reply = await cache.get(self._key(digest))
        if reply is None:
            return ()
        route = next(iter(self.context.pool(allocation.model).routes.values()))
        try:
            results = self.job.accept(reply, route, Decimal(0), digest, ("cached",))
        except ModelError:
            return ()
        await self.context.recorder.save(results)
        return results

    def _key(self, digest: str) -> str:
        """The cache's key: the hash of prompt, model and parameters, and the form of the answer."""
        return f"{digest}:{'json' if self.job.as_json else 'text'}"

    async def _uncut(self, results: Sequence[NodeResult]) -> Sequence[NodeResult]:
        """What was cut by its length is committed, and asked for once more with twice the room: as a retry, so that a
        cap that is too low for everything does not double a run's cost."""
        cut = any(TRUNCATED in result.flags for result in results)
        if not cut or self.room > 1 or not self.context.retries.spend():
            return results
        self.context.counters.retries += 1
        self.room, self._cut = MORE_ROOM, results
        try:
            return await self._on_one_model(Tries(most=self.job.attempts, trimmed=True))
        except (ModelError, ModelCallFailed, StoppedError):
            return results

    async def _on_one_model(self, tries: Tries) -> Sequence[NodeResult]:
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
            self.fell = _short(f"fallback {self.position} after: {_told(error)}")
            return
        if unreachable(error) and not self.job.last_chance:
            self._halt(error)
        raise ModelCallFailed(error) from error

    async def _go_on(self, error: ModelError, tries: Tries) -> bool:
        """Prepare the next try on the same model; False to leave it."""
        verdict = judge(error, tries)
        if verdict is Verdict.HALT:
            self._halt(error)
        if verdict is Verdict.REFUSE and not self._asks_on():
            raise ModelCallFailed(error) from error
        if verdict in (Verdict.NEXT_MODEL, Verdict.REFUSE) or not self._may_retry(error, tries):
            return False
        if verdict is Verdict.TRIM:
            self._show(0.5)
            self.flags = (*self.flags, "trimmed")
        else:
            await self.context.clock.sleep(self._wait(error, tries))
        return True

    def _asks_on(self) -> bool:
        """Whether another model may answer what this one refused."""
        return self.job.fallback_on_refusal and self.position < len(self._allocation().fallback)

    def _wait(self, error: ModelError, tries: Tries) -> float:
        """Seconds until the next try: what the server said, else a back-off; none where the breaker makes it wait."""
        if tries.excused:
            return 0.0
        told = error.retry_after if isinstance(error, RateLimitedError | ServerFaultError) else None
        backoff = self.context.backoff
        if told:
            return told + backoff.rng.uniform(0.0, 0.05)
        return backoff.wait(tries.failed + tries.rejected - 1, self.latency_s)

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
        allocation = self._allocation()
        return allocation, self.context.pool(allocation.chain[min(self.position, len(allocation.fallback))])

    def _allocation(self) -> Allocation:
        """The allocation as it stands, with the room that this call needs."""
        allocation = self.job.allocate()
        return allocation if self.room == 1 else replace(allocation, max_tokens=self.room * allocation.max_tokens)

    async def _once(self, tries: Tries) -> Sequence[NodeResult]:
        allocation = self._allocation()
        last = self.position >= len(allocation.fallback)
        tokens = Load(self.tokens, allocation.max_tokens)
        admission = Admission(self.context, self._now, self.job.stage, self.job.priority, self.job.item_id)
        self.context.queued += 1
        try:
            seat = await admission.seat(tokens, last=last)
        finally:
            self.context.queued -= 1
        attempt, attempt_id = await self._begin(seat)
        sent = self.context.clock.monotonic()
        reply, cost = await self._send(seat, attempt_id, attempt, tries)
        service_s = self.context.clock.monotonic() - sent
        return await self._settle(seat.route, attempt_id, attempt, reply, service_s, cost)

    async def _begin(self, seat: Seat) -> tuple[Attempt, int]:
        """Reserve the money and commit the attempt; the seat is given back where that fails."""
        attempt = self._attempt(seat)
        reserved = False
        try:
            self._reserve(attempt)
            reserved = True
            return attempt, await self.context.recorder.begin(attempt)
        except BaseException as error:
            seat.unused()
            if reserved:
                self.context.budget.settle(attempt.reserved_usd, None)
            if isinstance(error, DaySpentError):
                self._stop(str(error))
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
            reserved_usd=route.ceiling(self.tokens, allocation.max_tokens, self._share_s(seat)),
            why=self.fell or allocation.source,
        )

    def _reserve(self, attempt: Attempt) -> None:
        budget = self.context.budget
        if not budget.reserve(attempt.reserved_usd):
            spent = f"{budget.settled:.6f} spent, {budget.reserved:.6f} in flight"
            self._stop(f"The budget of {budget.limit} USD is reached: {spent}.")

    def _stop(self, reason: str) -> NoReturn:
        """No money for this call: the run ends, unless the call has a text that will do."""
        if not self._cut:
            self.context.halt(RunStatus.BUDGET, reason)
        raise StoppedError(reason)

    def _waits(self, model: str, max_tokens: int) -> Waits:
        return self.context.patience.waits(self.job.stage, model, self.job.waits, max_tokens)

    def _share_s(self, seat: Seat) -> float:
        """Seconds of its endpoint's time that a call may take: in turn with the others in flight, as they add up."""
        return self._waits(seat.route.model, seat.allocation.max_tokens).total / max(1, seat.lane.in_flight)

    def _request(self, route: Route, attempt: Attempt) -> ModelRequest:
        waits = self._waits(route.model, attempt.max_tokens or 0)
        return ModelRequest(
            model=route.model,
            messages=self.messages,
            max_tokens=attempt.max_tokens or 0,
            temperature=attempt.temperature or 0.0,
            stream=route.stream,
            json=self.job.as_json,
            timeout=waits.total,
            first_byte=waits.first_byte if route.stream else None,
            idle=waits.idle,
        )

    async def _send(
        self, seat: Seat, attempt_id: int, attempt: Attempt, tries: Tries
    ) -> tuple[ModelReply, Decimal | None]:
        """The reply and what it cost."""
        request, clock = self._request(seat.route, attempt), self.context.clock
        sent = clock.monotonic()
        seat.sent(sent)
        self.latency_s = seat.lane.latency_s
        try:
            with seat.lane.meter.call(clock) as share:
                reply = await self._answer(seat.route, request)
        except ModelError as error:
            self._failed(seat, error, tries, request, clock.monotonic() - sent)
            lost = seat.route.cost(None, share.seconds)
            await self._close(attempt_id, attempt, self._failure(error, attempt, clock.monotonic() - sent, lost))
            raise
        except BaseException as error:
            seat.unused(clock.monotonic() - sent)
            given_up = _given_up(error, attempt, clock.monotonic() - sent, seat.route.cost(None, share.seconds))
            await asyncio.shield(self._close(attempt_id, attempt, given_up))
            raise
        seat.answered(reply, clock.monotonic() - sent)
        tries.excused = False
        took = Took(clock.monotonic() - sent, reply.ttft, reply.gap)
        self.context.patience.answered(attempt.stage, attempt.model, took, request.max_tokens)
        return reply, seat.route.cost(reply.usage, share.seconds)

    async def _answer(self, route: Route, request: ModelRequest) -> ModelReply:
        """The reply; a call that was sent before its deadline was learned is cut once that is."""
        call = route.client.complete(request)
        if request.timeout < self.job.waits.total:
            return await call
        return await unless_late(
            call,
            lambda: self._waits(request.model, request.max_tokens).total,
            request.timeout,
            self.context.clock,
        )

    def _failed(self, seat: Seat, error: ModelError, tries: Tries, request: ModelRequest, seconds: float) -> None:
        """Tell the endpoint's breaker, quota and patience before its permit goes to the next caller.

        A failure while the breaker is open is the endpoint's, not the call's: it burns no try.
        """
        if isinstance(error, RejectedError):
            self.context.halt(RunStatus.PAUSED, str(error))
        if isinstance(error, BrokenReplyError):
            late = error.late or ("total" if seconds >= 0.99 * request.timeout else "")
            waits = Waits(request.timeout, request.first_byte or request.timeout, request.idle or request.timeout)
            self.context.patience.timed_out(self.job.stage, request.model, late, waits, request.max_tokens)
        seat.failed(error, seconds)
        passing = seat.endpoint_down and not isinstance(error, RateLimitedError)
        tries.excused = passing and not self.job.last_chance

    def _failure(self, error: ModelError, attempt: Attempt, seconds: float, lost: Decimal | None) -> Settlement:
        """What is known of a failed call; `lost` is what it cost where that is known without its usage."""
        unknown = attempt.reserved_usd if may_have_cost(error) else None
        return Settlement(
            state=state_of(error),
            outcome=outcome_of(error),
            service_s=seconds,
            cost_usd=unknown if lost is None else lost,
            error=str(error),
            status=error.status,
        )

    async def _close(
        self, attempt_id: int, attempt: Attempt, settlement: Settlement, results: Sequence[NodeResult] = ()
    ) -> None:
        self.context.budget.settle(attempt.reserved_usd, settlement.cost_usd)
        await self.context.recorder.settle(attempt_id, attempt, settlement, results)

    async def _settle(
        self, route: Route, attempt_id: int, attempt: Attempt, reply: ModelReply, service_s: float, cost: Decimal | None
    ) -> Sequence[NodeResult]:
        settlement = Settlement("ok", Outcome.SUCCESS, service_s, reply.ttft, reply.usage, cost)
        try:
            results = self.job.accept(reply, route, cost, self._asked(attempt), self.flags)
        except ModelError as error:
            self.room = MORE_ROOM if reply.finish == "length" else self.room
            bad = replace(settlement, state=state_of(error), outcome=Outcome.IGNORED, error=str(error))
            await self._close(attempt_id, attempt, bad)
            raise
        except Exception as error:
            text = f"Unexpected {type(error).__name__}: {error}"
            await self._close(attempt_id, attempt, replace(settlement, state="failed", error=text))
            raise
        better = results if not self._cut or _longer(results, self._cut) else ()
        await self._close(attempt_id, attempt, settlement, better)
        if self.context.cache is not None and reply.finish != "length":
            self.context.cache.keep(self._key(attempt.input_hash), reply)
        return better or self._cut

    def _asked(self, attempt: Attempt) -> str:
        """The hash of what was first asked: it tells whether another run asks the same."""
        if self.room == 1 and self.messages is self._whole:
            return attempt.input_hash
        size = (attempt.max_tokens or 0) // self.room
        return input_hash(self._whole, attempt.model, size, attempt.temperature or 0.0)


def _longer(new: Sequence[NodeResult], old: Sequence[NodeResult]) -> bool:
    """Whether an answer with more room is the better one: it came to its end, or says more."""
    complete = not any(TRUNCATED in result.flags for result in new)
    return complete or sum(len(result.text) for result in new) > sum(len(result.text) for result in old)


def _given_up(error: BaseException, attempt: Attempt, seconds: float, lost: Decimal | None) -> Settlement:
    """A call that was cancelled, or that a bug ended: what it may have cost stays reserved, unless it is known."""
    cost = attempt.reserved_usd if lost is None else lost
    if isinstance(error, asyncio.CancelledError):
        return Settlement("cancelled", Outcome.IGNORED, seconds, cost_usd=cost)
    text = f"Unexpected {type(error).__name__}: {error}"
    return Settlement("failed", Outcome.IGNORED, seconds, cost_usd=cost, error=text)


def _told(error: ModelError) -> str:
    """A failure in few words: its status first, where it has one and does not say so itself."""
    text = str(error)
    return text if error.status is None or str(error.status) in text else f"{error.status} {text}"


def _short(text: str) -> str:
    """The text on one line, cut to what a column of the ledger should hold."""
    line = " ".join(text.split())
    return line if len(line) <= WHY else f"{line[: WHY - 3]}..."
