"""A run that might be, and the scenario that follows for it from what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean

from core.base.endpoints import EndpointConfig
from core.base.errors import UsageError
from core.base.records import Item
from core.base.views import Caveat, StageHistory
from core.base.workload import Workload
from core.pipeline.plan import Node, Plan, expand
from core.tuning.scenario import Place, Scenario, Work
from core.tuning.speed import Speed, fit

FEW = 30
SEARCH = "search"


@dataclass(frozen=True, slots=True)
class Proposal:
    """So many items like those of `sample`, with these limits, models and servers.

    models: by model stage; '' or missing takes the newest that was measured. servers: by model name, the endpoints
    that serve it (missing: those where it was measured, without limits of their own). caps: a stage's own most.
    """

    workload: Workload
    items: int
    sample: Sequence[Item]
    llm_limit: int
    search_limit: int
    models: Mapping[str, str] = field(default_factory=dict)
    servers: Mapping[str, Sequence[EndpointConfig]] = field(default_factory=dict)
    caps: Mapping[str, int] = field(default_factory=dict)
    window: int = 0

    def plans(self) -> list[Plan]:
        """The plans of the sample's items, those that cannot be planned left out."""
        return [plan for item in self.sample if (plan := _plan(self.workload, item)) is not None]


def _plan(workload: Workload, item: Item) -> Plan | None:
    try:
        return expand(workload, item)
    except UsageError:
        return None


class Study:
    """What the history says of a proposal: the kinds of calls it needs, their places, and what is not known."""

    def __init__(self, proposal: Proposal, history: Sequence[StageHistory]) -> None:
        self.proposal = proposal
        self.plans = proposal.plans() if proposal.items else []
        self._history = history
        self._speeds: dict[str, Speed] = {}

    @cached_property
    def nodes(self) -> list[Node]:
        """The nodes of all plans."""
        return [node for plan in self.plans for node in plan.nodes]

    @cached_property
    def seen(self) -> dict[str, list[StageHistory]]:
        """By stage what was measured of it with its model, on the newest model where none is asked for."""
        return {stage: self._of_stage(stage) for stage in dict.fromkeys(node.stage.id for node in self.nodes)}

    def _of_stage(self, stage: str) -> list[StageHistory]:
        rows = [h for h in self._history if h.stage == stage]
        wanted = self.proposal.models.get(stage) or (rows[0].model if rows else "")
        return [h for h in rows if h.model == wanted or h.resource == SEARCH]

    @cached_property
    def missing(self) -> list[str]:
        """Stages of which nothing was measured."""
        return [stage for stage, rows in self.seen.items() if not rows]

    def per_item(self, stage: str | None = None, *, kind: str = "") -> float:
        """Calls per item of a stage or of a kind, as planned: searches by their queries."""
        counts = [_calls(node) for node in self.nodes if node.stage.id == stage or node.stage.kind == kind]
        return sum(counts) / len(self.plans) if self.plans else 0.0

    def scenario(self, beyond: float | None = None) -> Scenario:
        """The scenario of the proposal. beyond: how times go on above the highest measured level (see `Speed`)."""
        proposal = self.proposal
        return Scenario(
            plans=self.plans,
            places={stage: self._places(stage, beyond) for stage in self.seen},
            llm_limit=proposal.llm_limit,
            search_limit=proposal.search_limit,
            window=proposal.window,
            caps=proposal.caps,
            skips={stage: rows[0].skip_share for stage, rows in self.seen.items()},
            commit_s=max(rows[0].commit_s for rows in self.seen.values()),
        )

    def speed(self, endpoint: str) -> Speed:
        """How times grow at an endpoint, from everything that was measured there."""
        found = self._speeds.get(endpoint)
        if found is None:
            found = self._speeds[endpoint] = fit(h for h in self._history if h.endpoint == endpoint)
        return found

    def measured(self, endpoint: str) -> list[float]:
        """The numbers in flight at an endpoint of which enough calls were measured."""
        rows = [h for h in self._history if h.endpoint == endpoint]
        return [level.in_flight for h in rows for level in h.levels if level.requests >= FEW]

    def origin(self, stage: str, endpoint: str) -> str:
        """The endpoint whose measurements stand for a stage there: itself, else where most was measured."""
        rows = self.seen[stage]
        if any(row.endpoint == endpoint for row in rows):
            return endpoint
        return max(rows, key=lambda row: row.requests).endpoint

    def endpoints(self, stage: str) -> Sequence[EndpointConfig]:
        """Where a stage's calls go."""
        rows = self.seen[stage]
        measured = [EndpointConfig(name) for name in dict.fromkeys(row.endpoint for row in rows)]
        return (rows[0].resource != SEARCH and self.proposal.servers.get(rows[0].model)) or measured

    def _places(self, stage: str, beyond: float | None) -> tuple[Place, ...]:
        return tuple(self._place(stage, there, beyond) for there in self.endpoints(stage))

    def _place(self, stage: str, there: EndpointConfig, beyond: float | None) -> Place:
        origin = self.origin(stage, there.name)
        speed = replace(self.speed(origin), beyond=beyond)
        works = {
            (h.stage, h.parts): _work(h, speed)
            for rows in self.seen.values()
            for h in reversed(rows)
            if h.endpoint == self.origin(h.stage, there.name)
        }
        return Place(there.name, speed, works, there.limit, there.rpm, there.tpm)

    def caveats(self) -> Iterator[Caveat]:
        """What is thin about the measurements themselves."""
        for stage, rows in self.seen.items():
            requests = sum(row.requests for row in rows)
            if requests < FEW:
                yield Caveat("few_requests", {"stage": stage, "requests": requests})
        borrowed = {
            there.name: self.origin(stage, there.name) for stage in self.seen for there in self.endpoints(stage)
        }
        for name, origin in borrowed.items():
            if name != origin:
                yield Caveat("borrowed_endpoint", {"endpoint": name, "of": origin})


def _calls(node: Node) -> int:
    return (len(node.parts) or 1) if node.stage.kind == SEARCH else 1


def _work(h: StageHistory, speed: Speed) -> Work:
    """A kind of call at slowdown 1; its quantiles are scaled so that they have the measured mean."""
    slowdown = speed.slowdown(h.in_flight)
    quantiles = h.quantiles or (h.service_p10_s, h.service_s, h.service_p90_s)
    ends = (quantiles[0] + quantiles[-1]) / 2
    mean = (sum(quantiles) - ends) / (len(quantiles) - 1) if len(quantiles) > 1 else quantiles[0]
    factor = h.service_s / (mean * slowdown) if mean > 0 else 0.0
    return Work(
        h.service_s / slowdown,
        tuple(value * factor for value in quantiles),
        h.failure_share,
        h.failure_s / slowdown,
        h.input_tokens + h.output_tokens,
    )


def typical(rows: Sequence[StageHistory]) -> float:
    """The mean seconds of a stage's calls, by how many were measured."""
    return fmean([row.service_s for row in rows], [row.requests for row in rows])
