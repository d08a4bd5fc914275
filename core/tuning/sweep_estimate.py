"""What a sweep would take: calls, tokens, money and time, from what was measured before or from caps.

An earlier sweep of the same server and model tells the time, runs of the workload the tokens. Without them the most
that can happen is told: prompts filled to their caps and answers of max_tokens. What nothing is known of stays None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import ceil
from typing import Protocol

from core.base.records import Item, Usage
from core.base.views import StageHistory, SweepEstimate, SweepPoint
from core.base.workload import Workload
from core.flow.limits import calls_needed
from core.models.tokens import estimate_tokens
from core.pipeline.plan import Node, expand
from core.store.codec import dump
from core.tuning.sweep import fit
from core.tuning.sweep_calls import reachable

UNKNOWN = 0.10
SENTENCE_TOKENS = 90  # an indexed sentence of at most 300 characters, with its label
UNSAID = 8  # sentences per part where a workload says no limit


class Pricing(Protocol):
    """The prices of one endpoint."""

    def cost(self, model: str, usage: Usage) -> Decimal | None: ...


@dataclass(frozen=True, slots=True)
class Basis:
    """What is known before a sweep: the workload's history, earlier points of the same server and model, prices."""

    sample: Item | None
    history: Sequence[StageHistory] = ()
    points: Sequence[SweepPoint] = ()
    max_tokens: Mapping[str, int] = field(default_factory=dict)
    pricing: Pricing | None = None
    simulated: bool = False


def estimate(
    workload: Workload, resource: str, limits: Sequence[int], items: int, model: str, basis: Basis
) -> SweepEstimate:
    """The estimate for a schedule of limits over so many items like the sample."""
    nodes = [n for n in (expand(workload, basis.sample).nodes if basis.sample else ()) if n.stage.kind == resource]
    calls = calls_needed(limits)
    seen = _seen(nodes, basis.history, model if resource == "llm" else "")
    tokens = _tokens(workload, nodes, seen, basis, calls) if resource == "llm" else (0, 0)
    return SweepEstimate(
        limits=tuple(limits),
        calls=calls,
        items_needed=ceil(calls / len(nodes)) if nodes else 0,
        items=items,
        reachable=reachable(limits, items * len(nodes)),
        tokens=tokens,
        cost_usd=_cost(model, tokens, basis, certain=bool(seen)) if resource == "llm" else (Decimal(0), Decimal(0)),
        duration_s=_duration(limits, nodes, seen, basis.points),
        basis=_basis(resource, seen, basis, tokens),
        simulated=basis.simulated,
    )


def _seen(nodes: Sequence[Node], history: Sequence[StageHistory], model: str) -> dict[str, StageHistory]:
    """The newest history of every stage with this model; empty where one has none."""
    found = {h.stage: h for h in reversed(history) if h.model == model or not h.model}
    return found if nodes and all(n.stage.id in found for n in nodes) else {}


def _basis(resource: str, seen: Mapping[str, StageHistory], basis: Basis, tokens: tuple[int, int] | None) -> str:
    if basis.points:
        return "sweep"
    if seen:
        return "history"
    if resource == "search":
        return "free"
    return "caps" if tokens and basis.pricing else "none"


def _tokens(
    workload: Workload, nodes: Sequence[Node], seen: Mapping[str, StageHistory], basis: Basis, calls: int
) -> tuple[int, int] | None:
    """Input and output tokens of that many calls: as they were, or at their caps."""
    if not nodes:
        return None
    if seen:
        each = [(seen[n.stage.id].input_tokens, seen[n.stage.id].output_tokens) for n in nodes]
    else:
        most = basis.max_tokens
        each = [(_prompt_cap(workload, n, basis), most.get(n.stage.id, n.stage.max_tokens)) for n in nodes]
    read, written = (sum(pair[k] for pair in each) / len(nodes) for k in (0, 1))
    return round(calls * read), round(calls * written)


def _prompt_cap(workload: Workload, node: Node, basis: Basis) -> float:
    """The most tokens of a node's prompt: its text, the item, all evidence it may show and all results before it."""
    prompt = workload.prompts[node.stage.prompt]
    own = estimate_tokens(prompt.system + prompt.user)
    fields = estimate_tokens(dump(basis.sample.fields)) if basis.sample else 0
    before = [s for s in workload.stages if s.id in node.stage.after and s.kind == "llm"]
    results = sum(basis.max_tokens.get(s.id, s.max_tokens) * _parts(workload, s.each) for s in before)
    return own + fields + _evidence(workload, node) + results


def _parts(workload: Workload, kind: str | None) -> int:
    return max(1, len(workload.parts[kind].values)) if kind else 1


def _evidence(workload: Workload, node: Node) -> int:
    """Tokens of the evidence of the node's parts, or of all parts for a node that is once per item."""
    if not any(stage.kind == "search" for stage in workload.stages):
        return 0
    parts = node.parts or tuple(part for kind in workload.parts.values() for part in kind.values)
    return sum(SENTENCE_TOKENS * (part.query.limit if part.query else UNSAID) for part in parts)


def _cost(model: str, tokens: tuple[int, int] | None, basis: Basis, *, certain: bool) -> tuple[Decimal, Decimal] | None:
    """(expected, at most): a tenth more than history says; caps are the most by themselves."""
    if tokens is None or basis.pricing is None:
        return None
    cost = basis.pricing.cost(model, Usage(*tokens))
    if cost is None:
        return None
    return (cost, cost * (1 + Decimal(str(UNKNOWN)))) if certain else (cost, cost)


def _duration(
    limits: Sequence[int], nodes: Sequence[Node], seen: Mapping[str, StageHistory], points: Sequence[SweepPoint]
) -> tuple[float, float] | None:
    """(expected, at most) seconds: along the curve of an earlier sweep, else at the latency that calls had before.

    At most: with no more throughput than the slowest of what was seen gave.
    """
    curve = fit(sorted(points, key=lambda p: p.limit)) if points else None
    if curve is not None:
        known = sum(calls_needed((n,)) / curve.rate(n) for n in limits)
        return known, known * (1 + 2 * UNKNOWN)
    if not seen:
        return None
    latency = sum(seen[n.stage.id].service_s for n in nodes) / len(nodes)
    crowd = max(1.0, *(seen[n.stage.id].in_flight for n in nodes))
    expected = sum(calls_needed((n,)) * latency / n for n in limits)
    return expected, sum(calls_needed((n,)) * latency / min(n, crowd) for n in limits)
