"""What a node asks of a model, and how the reply becomes results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache

from core.base.records import Evidence, Item, Message, ModelReply, NodeResult
from core.flow import IDLE_S, Waits
from core.pipeline.answers import Answer, read_batch, read_text
from core.pipeline.asking import Job
from core.pipeline.context import Context
from core.pipeline.plan import Node
from core.pipeline.prompts import Inputs, input_hash, render
from core.pipeline.routes import Route

Results = Mapping[str, Mapping[str, NodeResult]]


class Writing:
    """One model node of one item with what the stages before it found and wrote."""

    def __init__(self, context: Context, item: Item, node: Node, results: Results) -> None:
        self.context = context
        self.item = item
        self.node = node
        self._share = 1.0
        self._evidence = self._found(results)
        self._written = {s: results.get(s, {}) for s in node.stage.after if context.workload.stage(s).kind == "llm"}

    def job(self, priority: float, *, last_chance: bool = False) -> Job:
        """The call to make."""
        stage = self.node.stage
        return Job(
            item_id=self.item.id,
            stage=stage.id,
            parts=tuple(part.id for part in self.node.parts),
            priority=priority,
            allocate=lambda: self.context.allocate(stage),
            attempts=stage.attempts,
            waits=_waits(stage.timeout_s, stage.first_byte_s, stage.idle_s),
            as_json=len(self.node.parts) > 1,
            render=self.messages,
            accept=self.accept,
            last_chance=last_chance,
            fallback_on_refusal=stage.fallback_on_refusal,
        )

    def messages(self, share: float) -> tuple[Message, ...]:
        """The prompt with that share of the evidence, fenced anew; the answer is read with the same share."""
        self._share = share
        return render(
            self.context.workload,
            self.node,
            self.item,
            self._inputs(),
            fence=self.context.fences.fresh(),
            max_tokens=self.context.allocate(self.node.stage).max_tokens,
        )

    def hashes(self) -> set[str]:
        """The hash of the call's inputs, for every model of the chain that may answer it."""
        allocation, messages = self.context.allocate(self.node.stage), self.messages(1.0)
        size, heat = allocation.max_tokens, allocation.temperature
        return {input_hash(messages, model, size, heat) for model in allocation.chain}

    def accept(
        self, reply: ModelReply, route: Route, cost: Decimal | None, digest: str, flags: tuple[str, ...]
    ) -> Sequence[NodeResult]:
        """One result per part, the cost shared evenly; MalformedError when the reply is no answer."""
        answers = self._answers(reply)
        marks = (*flags, "truncated") if reply.finish == "length" else flags
        share = None if cost is None else cost / len(answers)
        return [self._result(part, answer, route, share, digest, marks) for part, answer in answers.items()]

    def _result(
        self, part: str, answer: Answer, route: Route, cost: Decimal | None, digest: str, marks: tuple[str, ...]
    ) -> NodeResult:
        return NodeResult(
            run_id=self.context.run_id,
            item_id=self.item.id,
            stage=self.node.stage.id,
            part=part,
            text=answer.text,
            evidence=answer.evidence,
            citations=answer.citations,
            flags=(*marks, *answer.flags),
            model=route.model,
            cost_usd=cost,
            input_hash=digest,
        )

    def _answers(self, reply: ModelReply) -> Mapping[str, Answer]:
        """What the reply says for each part ('' for a node that is once per item)."""
        parts, inputs = self.node.parts, self._inputs()
        if len(parts) > 1:
            return read_batch(reply.text, parts, inputs)
        part = parts[0].id if parts else ""
        return {part: read_text(reply.text, part, inputs)}

    def _inputs(self) -> Inputs:
        return Inputs({part: _best(rows, self._share) for part, rows in self._evidence.items()}, self._written)

    def _found(self, results: Results) -> dict[str, tuple[Evidence, ...]]:
        """The evidence that search stages found for the node's parts, of all parts for a once-per-item node."""
        mine = {part.id for part in self.node.parts}
        searches = (s for s in self.node.stage.after if self.context.workload.stage(s).kind == "search")
        found = (pair for s in searches for pair in results.get(s, {}).items())
        return {part: result.evidence for part, result in found if not mine or part in mine}


@lru_cache(maxsize=64)
def _waits(total: float, first_byte: float | None, idle: float | None) -> Waits:
    """A stage's own deadlines, the same object for each of its calls."""
    return Waits(total, first_byte or total, idle or IDLE_S)


def _best(rows: tuple[Evidence, ...], share: float) -> tuple[Evidence, ...]:
    """The best-ranked share of the evidence, at least one sentence."""
    return rows if share >= 1.0 else rows[: max(1, int(len(rows) * share))]
