"""Taking over what an earlier run has done: a node whose inputs have not changed is copied and costs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from core.base.errors import UnknownError
from core.base.records import Item, NodeResult
from core.base.workload import Workload
from core.pipeline.nodes import NodeRunner, search_hash
from core.pipeline.plan import Node
from core.pipeline.writing import Writing

Results = Mapping[str, Mapping[str, NodeResult]]
MARKS = ("reused", "cached")


@dataclass(frozen=True, slots=True)
class Reuse:
    """What a run takes over from its parent, an earlier run of the same workload.

    anew: stages that are done anew whatever the parent has; the others are then taken over as they stand. Where it is
    empty, a node is taken over when its queries, or its prompt, model and parameters, are those of the parent.
    """

    parent: str
    anew: frozenset[str] = frozenset()


def only_stages(workload: Workload, names: Sequence[str]) -> Workload:
    """The workload with only these stages and what they need; UnknownError lists the stages there are."""
    known = [stage.id for stage in workload.stages]
    if unknown := [name for name in names if name not in known]:
        msg = f"There is no stage {unknown[0]!r} in workload {workload.id!r}; the stages are {', '.join(known)}."
        raise UnknownError(msg)
    needed = set(names)
    for stage in reversed(workload.stages):
        needed |= set(stage.after) if stage.id in needed else set()
    return replace(workload, stages=tuple(stage for stage in workload.stages if stage.id in needed))


class TakeOver:
    """A node runner that first looks whether the parent run has done the node; it saves what it takes over."""

    def __init__(self, runner: NodeRunner, reuse: Reuse, inherited: Iterable[NodeResult]) -> None:
        self._runner = runner
        self._context = runner.context
        self._reuse = reuse
        self._inherited: dict[str, dict[str, NodeResult]] = {}
        for result in inherited:
            self._inherited.setdefault(result.stage, {})[result.part] = result

    async def __call__(self, item: Item, node: Node, results: Results, priority: float) -> Sequence[NodeResult]:
        """The node's results: taken over, done anew, or some of each."""
        taken = self._taken(item, node, results)
        if not taken:
            return await self._runner.run(item, node, results, priority)
        await self._runner.save(taken)
        stage = node.stage.id
        known = {**results, stage: {**results.get(stage, {}), **{result.part: result for result in taken}}}
        return [*taken, *await self._runner.run(item, node, known, priority)]

    def _taken(self, item: Item, node: Node, results: Results) -> list[NodeResult]:
        """What the parent has of the parts that are still to do."""
        done, have = results.get(node.stage.id, {}), self._inherited.get(node.stage.id, {})
        wanted = [part for part in [p.id for p in node.parts] or [""] if part not in done]
        found = [have[part] for part in wanted if part in have]
        if not found or node.stage.id in self._reuse.anew:
            return []
        if not self._reuse.anew and not self._unchanged(item, node, results, found):
            return []
        return [self._mine(result) for result in found]

    def _unchanged(self, item: Item, node: Node, results: Results, found: Sequence[NodeResult]) -> bool:
        """Whether all of the node was made of just these inputs."""
        if len(found) < max(1, len(node.parts)):
            return False
        if node.stage.kind == "search":
            same = {search_hash(item, node)}
        else:
            same = Writing(self._context, item, node, results).hashes()
        return all(result.input_hash in same for result in found)

    def _mine(self, result: NodeResult) -> NodeResult:
        flags = (*(flag for flag in result.flags if flag not in MARKS), "reused")
        cost = None if result.cost_usd is None else Decimal(0)
        return replace(result, run_id=self._context.run_id, flags=flags, cost_usd=cost)
