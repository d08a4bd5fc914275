"""What a run would do before it is started: calls, duration and cost, from the history of the same workload.

Duration is the larger of the two resources' work over its limit, plus one chain of calls; cost is calls times the
mean cost of a call. The work of n calls spreads with sigma * sqrt(n), sigma from the 10th and 90th percentile of a call
(2.56 sigma apart in a normal distribution); a tenth is added on both sides for what a formula does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import sqrt

from core.base.records import Item
from core.base.views import Forecast, StageHistory
from core.base.workload import Workload
from core.pipeline.plan import Node, expand

UNKNOWN = 0.10
P10, P50, P90 = -1.28, 0.0, 1.28
Seen = Mapping[str, StageHistory]


def forecast(
    workload: Workload,
    items: int,
    sample: Item | None,
    history: Sequence[StageHistory],
    *,
    llm_limit: int,
    search_limit: int,
    model: str | None = None,
) -> Forecast:
    """The forecast for that many items like `sample`; basis `none` where a stage has no history with its model.

    model: the run's; a stage whose workload names another keeps that. None or '' takes the newest history there is.
    """
    nodes = expand(workload, sample).nodes if sample and items else ()
    models = {stage.id: stage.model or model for stage in workload.stages if stage.kind == "llm"}
    seen = {h.stage: h for h in reversed(history) if not models.get(h.stage) or h.model == models[h.stage]}
    known = bool(nodes) and all(node.stage.id in seen for node in nodes)
    limits = {"llm": llm_limit, "search": search_limit}
    return Forecast(
        items=items,
        search_calls=items * sum(len(n.parts) or 1 for n in nodes if n.stage.kind == "search"),
        llm_calls=items * sum(n.stage.kind == "llm" for n in nodes),
        duration_s=_durations(items, nodes, seen, limits) if known else None,
        cost_usd=_costs(items, nodes, seen) if known else None,
        basis="history" if known else "none",
    )


def _durations(items: int, nodes: Sequence[Node], seen: Seen, limits: Mapping[str, int]) -> tuple[float, float, float]:
    low, middle, high = (_duration(items, nodes, seen, limits, z) for z in (P10, P50, P90))
    return low * (1 - UNKNOWN), middle, high * (1 + UNKNOWN)


def _duration(items: int, nodes: Sequence[Node], seen: Seen, limits: Mapping[str, int], z: float) -> float:
    """Seconds: max over the resources of work / limit, plus a chain, `z` standard deviations from the middle."""
    chain = sum({node.stage.id: seen[node.stage.id].service_s for node in nodes}.values())
    return chain + max(_work(items, nodes, seen, resource, z) / limit for resource, limit in limits.items())


def _work(items: int, nodes: Sequence[Node], seen: Seen, resource: str, z: float) -> float:
    """Service seconds of all calls of a resource beyond the first item's."""
    stages = [h for node in nodes if (h := seen[node.stage.id]).resource == resource]
    mean = sum(h.service_s for h in stages)
    variance = sum(((h.service_p90_s - h.service_p10_s) / (P90 - P10)) ** 2 for h in stages)
    more = max(0, items - 1)
    return max(0.0, more * mean + z * sqrt(more * variance))


def _costs(items: int, nodes: Sequence[Node], seen: Seen) -> tuple[Decimal, Decimal, Decimal] | None:
    """USD, a tenth to either side; None where a model stage has no price."""
    costs = [seen[node.stage.id].cost_usd for node in nodes if node.stage.kind == "llm"]
    priced = [cost for cost in costs if cost is not None]
    if len(priced) < len(costs):
        return None
    total = items * sum(priced, Decimal(0))
    margin = Decimal(str(UNKNOWN))
    return total * (1 - margin), total, total * (1 + margin)
