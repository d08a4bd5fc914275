"""One item on its way through its plan: a node starts as soon as the nodes it needs are done."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.base.records import Item, ItemStatus, NodeResult
from core.flow import StoppedError
from core.pipeline.plan import Node, Plan

Results = dict[str, dict[str, NodeResult]]


@dataclass(frozen=True, slots=True)
class ItemResult:
    """A finished item. `results` are keyed by stage, then part ('' for a stage that is once per item)."""

    item: Item
    status: ItemStatus
    results: Mapping[str, Mapping[str, NodeResult]]
    finished_s: float
    error: str | None = None

    def text(self, stage: str, part: str = "") -> str:
        """The text of one node; '' where there is none."""
        result = self.results.get(stage, {}).get(part)
        return result.text if result else ""


class RunNode(Protocol):
    """Whatever turns a node into results; StoppedError when the run admits nothing any more."""

    async def __call__(
        self, item: Item, node: Node, results: Mapping[str, Mapping[str, NodeResult]], priority: float
    ) -> Sequence[NodeResult]: ...


class Ranking(Protocol):
    """A node's place in the queue: lower goes first."""

    def __call__(self, order: int, node: Node) -> float: ...


class ItemRun:
    """An item's plan with what is done of it. `prior` holds results of an earlier session: they are not done again."""

    def __init__(self, item: Item, order: int, plan: Plan, prior: Iterable[NodeResult] = ()) -> None:
        self.item = item
        self.order = order
        self.plan = plan
        self.results: Results = {}
        self.stopped = False
        self._open = [len(node.needs) for node in plan.nodes]
        self.keep(prior)

    def __repr__(self) -> str:
        return f"<ItemRun {self.item.id} #{self.order}, {sum(map(len, self.results.values()))} results>"

    def keep(self, results: Iterable[NodeResult]) -> None:
        """Add results to the item's own."""
        for result in results:
            self.results.setdefault(result.stage, {})[result.part] = result

    async def run(self, run_node: RunNode, rank: Ranking) -> None:
        """Walk the whole plan; failures stay inside the item, `stopped` says that it was cut short."""
        roots = [node for node in self.plan.nodes if not node.needs]
        async with asyncio.TaskGroup() as group:
            for node in roots[1:]:
                group.create_task(self._walk(node, run_node, rank, group))
            await self._walk(roots[0], run_node, rank, group)

    async def _walk(self, node: Node, run_node: RunNode, rank: Ranking, group: asyncio.TaskGroup) -> None:
        """Do a node and go on with the first node it makes ready; the others become tasks of their own."""
        following: Node | None = node
        while following is not None:
            try:
                self.keep(await run_node(self.item, following, self.results, rank(self.order, following)))
            except StoppedError:
                self.stopped = True
                return
            ready = self._ready_after(following)
            for other in ready[1:]:
                group.create_task(self._walk(other, run_node, rank, group))
            following = ready[0] if ready else None

    def _ready_after(self, node: Node) -> list[Node]:
        ready = []
        for index in self.plan.feeds[node.index]:
            self._open[index] -= 1
            if not self._open[index]:
                ready.append(self.plan.nodes[index])
        return ready

    @property
    def everything(self) -> list[NodeResult]:
        """All results so far."""
        return [result for by_part in self.results.values() for result in by_part.values()]

    @property
    def failed(self) -> bool:
        """Whether a node was lost."""
        return any(result.status == "failed" for result in self.everything)

    @property
    def may_recover(self) -> bool:
        """Whether everything that was lost was lost for a reason that may pass."""
        return all(result.transient for result in self.everything if result.status == "failed")

    def kept(self) -> list[NodeResult]:
        """What need not be done again."""
        return [result for result in self.everything if result.status != "failed"]

    def verdict(self) -> tuple[ItemStatus, str | None]:
        """The item's status once its plan is walked, and the first error if it failed.

        Failed beats everything: some node was lost. An item without any text has no reviews, or was refused.
        """
        everything = self.everything
        error = next((r.error or "unknown" for r in everything if r.status == "failed"), None)
        if error is not None:
            return ItemStatus.FAILED, error
        last = self._last_stages()
        if any(r.status == "done" for r in everything if r.stage in last):
            return ItemStatus.DONE, None
        refused = next((r for r in everything if r.status == "refused"), None)
        return (ItemStatus.REFUSED, refused.error) if refused else (ItemStatus.NO_REVIEWS, None)

    def _last_stages(self) -> set[str]:
        return {node.stage.id for node in self.plan.nodes if not self.plan.feeds[node.index]}
