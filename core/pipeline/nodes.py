"""From a ready node to committed results: searches, model calls, batches that are split, gaps that are named."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from core.base.errors import BrigadeError, MalformedError, RefusedError, SearchUnavailableError, StoreError
from core.base.records import Item, NodeResult, Query, RunStatus
from core.base.workload import Part
from core.flow import StoppedError
from core.pipeline.context import Context
from core.pipeline.model_call import ModelCall, ModelCallFailed
from core.pipeline.plan import Node
from core.pipeline.search_call import SearchCall, SearchJob
from core.pipeline.writing import Writing
from core.store import ItemDone

log = logging.getLogger(__name__)

Results = Mapping[str, Mapping[str, NodeResult]]


class NodeRunner:
    """Runs nodes for one run; what it returns is committed. Only StoppedError and cancellation get out.

    On a `last_chance` a call that always fails costs its item, however much it looks like an outage.
    """

    def __init__(self, context: Context, *, last_chance: bool = False) -> None:
        self.context = context
        self._last_chance = last_chance
        self._searches = {s.id for s in context.workload.stages if s.kind == "search"}

    async def run(self, item: Item, node: Node, results: Results, priority: float) -> Sequence[NodeResult]:
        """The node's results, one per part; parts that are done already are not done again."""
        missing = self._missing(node, results)
        if missing is None:
            return ()
        try:
            if node.stage.kind == "search":
                return await self._search(item, missing, priority)
            return await self._write(item, missing, results, priority)
        except StoreError as error:
            self.context.halt(RunStatus.PAUSED, str(error))
            raise StoppedError(str(error)) from error
        except (StoppedError, asyncio.CancelledError):
            raise
        except BrigadeError as error:
            transient = isinstance(error, SearchUnavailableError)
            return await self._failed(item, missing, str(error), transient=transient)
        except Exception as error:
            log.exception("node %s of item %s failed unexpectedly", node.stage.id, item.id)
            return await self._failed(item, missing, f"Unexpected {type(error).__name__}: {error}")

    def _missing(self, node: Node, results: Results) -> Node | None:
        """The node with the parts that are still to do; None when nothing is."""
        done = results.get(node.stage.id)
        if not done:
            return node
        parts = tuple(p for p in node.parts if p.id not in done or done[p.id].status == "failed")
        return replace(node, parts=parts) if parts else None

    async def _search(self, item: Item, node: Node, priority: float) -> Sequence[NodeResult]:
        job = SearchJob(item.id, node.stage.id, queries_of(node), priority, search_hash(item, node))
        return await SearchCall(self.context, job).run()

    async def _write(self, item: Item, node: Node, results: Results, priority: float) -> Sequence[NodeResult]:
        lost = self._lost(node, results)
        if lost is not None:
            return await self._failed(item, node, f"{lost.stage} failed: {lost.error}", transient=lost.transient)
        empty = [p for p in node.parts if self._without_evidence(node, p, results)]
        if empty or self._nothing_to_combine(node, results):
            skipped = await self._skip(item, node, empty)
            rest = tuple(p for p in node.parts if p not in empty)
            if not rest:
                return skipped
            return [*skipped, *await self._call(item, replace(node, parts=rest), results, priority)]
        return await self._call(item, node, results, priority)

    def _lost(self, node: Node, results: Results) -> NodeResult | None:
        """A failed result that this node would need."""
        for stage in node.stage.after:
            for part, result in results.get(stage, {}).items():
                mine = not node.parts or not part or any(p.id == part for p in node.parts)
                if mine and result.status == "failed":
                    return result
        return None

    def _without_evidence(self, node: Node, part: Part, results: Results) -> bool:
        searches = [s for s in node.stage.after if s in self._searches]
        found = [results.get(s, {}).get(part.id) for s in searches]
        return node.stage.skip_empty and bool(searches) and not any(f and f.evidence for f in found)

    def _nothing_to_combine(self, node: Node, results: Results) -> bool:
        """Whether a once-per-item node has no text at all to work on."""
        written = [s for s in node.stage.after if s not in self._searches]
        if node.parts or not node.stage.after or not node.stage.skip_empty:
            return False
        if not written:
            return not any(r.evidence for s in node.stage.after for r in results.get(s, {}).values())
        return not any(r.status == "done" for s in written for r in results.get(s, {}).values())

    async def _skip(self, item: Item, node: Node, empty: Sequence[Part]) -> list[NodeResult]:
        blank = self._blank(item, node)
        skipped = [replace(blank, part=p.id) for p in empty] if node.parts else [blank]
        await self.save(skipped)
        return skipped

    async def _failed(self, item: Item, node: Node, error: str, *, transient: bool = False) -> list[NodeResult]:
        blank = replace(self._blank(item, node), status="failed", error=error, transient=transient)
        results = [replace(blank, part=p.id) for p in node.parts] or [blank]
        await self.save(results)
        return results

    def _blank(self, item: Item, node: Node) -> NodeResult:
        return NodeResult(self.context.run_id, item.id, node.stage.id, "", "", status="no_evidence")

    async def save(self, results: Sequence[NodeResult], done: ItemDone | None = None) -> None:
        """Commit results that cost no call, and an item's end; StoppedError when nothing can be recorded."""
        try:
            await self.context.recorder.save(results, done)
        except StoreError as error:
            self.context.halt(RunStatus.PAUSED, str(error))
            raise StoppedError(str(error)) from error

    async def _call(self, item: Item, node: Node, results: Results, priority: float) -> Sequence[NodeResult]:
        try:
            job = Writing(self.context, item, node, results).job(priority, last_chance=self._last_chance)
            return await ModelCall(self.context, job).run()
        except ModelCallFailed as failed:
            if isinstance(failed.error, MalformedError) and len(node.parts) > 1:
                return await self._split(item, node, results, priority)
            return await self._given_up(item, node, failed)

    async def _split(self, item: Item, node: Node, results: Results, priority: float) -> Sequence[NodeResult]:
        """A batch that came back malformed is tried part by part."""
        singles = [replace(node, parts=(part,)) for part in node.parts]
        return [r for single in singles for r in await self._call(item, single, results, priority)]

    async def _given_up(self, item: Item, node: Node, failed: ModelCallFailed) -> Sequence[NodeResult]:
        if not isinstance(failed.error, RefusedError):
            return await self._failed(item, node, str(failed.error), transient=failed.error.retryable)
        blank = replace(self._blank(item, node), status="refused", error=str(failed.error), flags=("refused",))
        results = [replace(blank, part=p.id) for p in node.parts] or [blank]
        await self.save(results)
        return results


def queries_of(node: Node) -> tuple[Query, ...]:
    """What a search node asks for, part by part."""
    return tuple(p.query or Query(p.id, (p.title,)) for p in node.parts)


def search_hash(item: Item, node: Node) -> str:
    """sha256 (hex) of what a search node asks for."""
    return hashlib.sha256(f"{item.id}\0{_digest(queries_of(node))}".encode()).hexdigest()


@lru_cache(maxsize=64)
def _digest(queries: tuple[Query, ...]) -> str:
    """A digest of what is asked: the same for every item of a workload whose parts are fixed."""
    return hashlib.sha256(repr(queries).encode()).hexdigest()
