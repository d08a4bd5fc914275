"""One model call of one node: which model of its chain is tried, how often, and what of an answer is asked again.

A call that waits to try again holds no permit.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from core.base.errors import ModelError, RateLimitedError, ServerFaultError
from core.base.records import NodeResult, RunStatus
from core.flow import StoppedError
from core.pipeline.asking import TRUNCATED, Asking, Job
from core.pipeline.context import Context
from core.pipeline.one_try import OneTry
from core.pipeline.settlements import told
from core.pipeline.verdict import Tries, Verdict, judge, reason_of, unreachable


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
        self.asking = Asking(job)

    def __repr__(self) -> str:
        return f"<ModelCall {self.asking!r}>"

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
        cache = self.context.cache
        if cache is None:
            return ()
        allocation = self.asking.allocation
        digest = self.asking.hash(allocation.model, allocation)
        reply = await cache.get(self.asking.key(digest))
        if reply is None:
            return ()
        route = next(iter(self.context.pool(allocation.model).routes.values()))
        try:
            results = self.job.accept(reply, route, Decimal(0), digest, ("cached",))
        except ModelError:
            return ()
        await self.context.recorder.save(results)
        return results

    async def _uncut(self, results: Sequence[NodeResult]) -> Sequence[NodeResult]:
        """What was cut by its length is committed, and asked for once more with twice the room: as a retry, so that a
        cap that is too low for everything does not double a run's cost."""
        cut = any(TRUNCATED in result.flags for result in results)
        if not cut or self.asking.room > 1 or not self.context.retries.spend():
            return results
        self.context.counters.retries += 1
        self.asking.more_room(results)
        try:
            return await self._on_one_model(Tries(most=self.job.attempts, trimmed=True))
        except (ModelError, ModelCallFailed, StoppedError):
            return results

    async def _on_one_model(self, tries: Tries) -> Sequence[NodeResult]:
        while True:
            try:
                return await OneTry(self.context, self.asking, tries).run()
            except ModelError as error:
                if not await self._go_on(error, tries):
                    raise

    def _fall_back(self, error: ModelError) -> None:
        """Move on to the next model of the chain; where there is none, give up or, if nobody answers, halt."""
        if self.asking.next_model(told(error)):
            self.context.counters.fallbacks += 1
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
            self.asking.trim()
        else:
            await self.context.clock.sleep(self._wait(error, tries))
        return True

    def _asks_on(self) -> bool:
        """Whether another model may answer what this one refused."""
        return self.job.fallback_on_refusal and not self.asking.on_last_model

    def _wait(self, error: ModelError, tries: Tries) -> float:
        """Seconds until the next try: what the server said, else a back-off; none where the breaker makes it wait."""
        if tries.excused:
            return 0.0
        asked = error.retry_after if isinstance(error, RateLimitedError | ServerFaultError) else None
        backoff = self.context.backoff
        if asked:
            return asked + backoff.rng.uniform(0.0, 0.05)
        return backoff.wait(tries.failed + tries.rejected - 1, tries.latency_s)

    def _may_retry(self, error: ModelError, tries: Tries) -> bool:
        self.context.counters.retries += 1
        if isinstance(error, RateLimitedError):
            self.context.counters.rate_limited += 1
            return True
        return tries.excused or self.context.retries.spend()

    def _halt(self, error: ModelError) -> None:
        self.context.halt(RunStatus.PAUSED, reason_of(error, self.context.clock.wall()))
        raise StoppedError(str(error)) from error
