"""One batched search of one node: gate, deadline, up to three tries, the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from core.base.errors import SearchError, SearchUnavailableError
from core.base.records import Attempt, Evidence, NodeResult, Outcome, Query, RunStatus, Settlement
from core.flow import StoppedError
from core.pipeline.context import Context

TRIES = 3
FAILURES_IN_A_ROW = 5


@dataclass(frozen=True, slots=True)
class SearchJob:
    """All queries of one item that go out together."""

    item_id: str
    stage: str
    queries: tuple[Query, ...]
    priority: float
    input_hash: str

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts asked for, in order."""
        return tuple(q.part for q in self.queries)


class SearchCall:
    """A search on its way; `run` gives one committed result per part."""

    def __init__(self, context: Context, job: SearchJob) -> None:
        self.context = context
        self.job = job

    async def run(self) -> Sequence[NodeResult]:
        """SearchError after the last try; StoppedError when the run halts."""
        for number in range(1, TRIES + 1):
            try:
                results = await self._once(number)
            except SearchUnavailableError as error:
                await self._wait(number, error)
            except SearchError as error:
                self._halt(error)
            else:
                self.context.search_failures = 0
                return results
        raise AssertionError  # pragma: no cover - the last failed try raises in _wait

    async def _wait(self, number: int, error: SearchUnavailableError) -> None:
        if number < TRIES:
            self.context.counters.retries += 1
            await self.context.clock.sleep(self.context.backoff.wait(number - 1))
            return
        self.context.search_failures += 1
        if self.context.search_failures >= FAILURES_IN_A_ROW:
            self._halt(error)
        raise error

    def _halt(self, error: SearchError) -> None:
        self.context.halt(RunStatus.PAUSED, str(error))
        raise StoppedError(str(error)) from error

    async def _once(self, number: int) -> Sequence[NodeResult]:
        gate = self.context.gates["search"]
        queued = self.context.clock.monotonic()
        await gate.acquire(self.job.priority)
        try:
            attempt = self._attempt(number, self.context.clock.monotonic() - queued)
            attempt_id = await self.context.recorder.begin(attempt)
            sent = self.context.clock.monotonic()
            results = await self._send(attempt_id, attempt, sent)
        finally:
            gate.release()
        settlement = Settlement("ok", Outcome.SUCCESS, self.context.clock.monotonic() - sent)
        await self.context.recorder.settle(attempt_id, attempt, settlement, results)
        return results

    async def _send(self, attempt_id: int, attempt: Attempt, sent: float) -> list[NodeResult]:
        """The search's results; whatever goes wrong, a bug in a backend too, its attempt is closed."""
        try:
            found = await self._watched(sent)
            return [self._result(part, rows) for part, rows in zip(self.job.parts, found, strict=True)]
        except SearchError as error:
            await self._close(attempt_id, attempt, sent, "failed", str(error))
            raise
        except asyncio.CancelledError:
            await asyncio.shield(self._close(attempt_id, attempt, sent, "cancelled", None))
            raise
        except Exception as error:
            await self._close(attempt_id, attempt, sent, "failed", f"Unexpected {type(error).__name__}: {error}")
            raise

    async def _watched(self, sent: float) -> list[list[Evidence]]:
        """The search, of which whatever sizes its gate is told; a search that takes too long is one too many."""
        watch, outcome, busy = self.context.searches, Outcome.IGNORED, False
        crowd = watch.sent(sent) if watch else 0
        try:
            found = await self._search()
            outcome = Outcome.SUCCESS
            return found
        except SearchError as error:
            outcome, busy = Outcome.OVERLOAD, isinstance(error.__cause__, TimeoutError)
            raise
        finally:
            if watch:
                watch.ended(sent, crowd, outcome, busy=busy)

    async def _search(self) -> list[list[Evidence]]:
        searcher, seconds = self.context.searcher, self.context.search_timeout_s
        if searcher is None:
            msg = f"Stage {self.job.stage!r} searches, but this engine has no searcher. Pass searcher=... to it."
            raise SearchError(msg)
        try:
            async with asyncio.timeout(seconds):
                return await searcher.search(self.job.item_id, self.job.queries)
        except TimeoutError as exc:
            msg = f"The search for item {self.job.item_id!r} took longer than {seconds:g} s."
            raise SearchUnavailableError(msg) from exc

    async def _close(self, attempt_id: int, attempt: Attempt, sent: float, state: str, error: str | None) -> None:
        outcome = Outcome.OVERLOAD if state == "failed" else Outcome.IGNORED
        service_s = self.context.clock.monotonic() - sent
        await self.context.recorder.settle(attempt_id, attempt, Settlement(state, outcome, service_s, error=error))

    def _attempt(self, number: int, queue_s: float) -> Attempt:
        return Attempt(
            run_id=self.context.run_id,
            item_id=self.job.item_id,
            stage=self.job.stage,
            parts=self.job.parts,
            input_hash=self.job.input_hash,
            number=number,
            resource="search",
            endpoint="search",
            model="",
            calls=len(self.job.queries),
            started_at=self.context.clock.wall(),
            queue_s=queue_s,
        )

    def _result(self, part: str, rows: Sequence[Evidence]) -> NodeResult:
        return NodeResult(
            run_id=self.context.run_id,
            item_id=self.job.item_id,
            stage=self.job.stage,
            part=part,
            text="",
            status="done" if rows else "no_evidence",
            evidence=tuple(rows),
            input_hash=self.job.input_hash,
        )
