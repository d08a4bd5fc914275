"""The sweeping part of the service: what a sweep would take, what sweeps measured, and the use of it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from core.base.allocation import allocation
from core.base.errors import RunError
from core.base.records import RunStatus
from core.base.views import SweepEstimate, SweepPoint, SweepView
from core.launch import Launch
from core.pipeline.sizing import AUTO, Wanted, parse_wanted
from core.steering import Steering
from core.sweep_site import EndpointCosts, Site, server_of, site_of
from core.tuning.sweep import Frontier, frontier
from core.tuning.sweep_estimate import Basis, estimate
from core.tuning.sweep_order import SweepOrder

AT_WORK = (RunStatus.RUNNING, RunStatus.PAUSED)


class Sweeping(Steering):
    """Estimates sweeps, reads what they measured, and turns a knee into a limit."""

    def sweeps(self, *, workload: str | None = None, resource: str | None = None, limit: int = 50) -> list[SweepView]:
        """Sweeps with their points, newest first, to compare servers, models and days."""
        return self.store.sweeps.list(workload=workload, resource=resource, limit=limit)

    def sweep(self, sweep_id: str) -> SweepView:
        """A sweep with its points; `last` is the newest. UnknownError names some."""
        return self.store.sweeps.view(sweep_id)

    def frontier(self, sweep: SweepView) -> Frontier:
        """What follows from a sweep's points: the curve, the knee, and what holds it back."""
        return frontier(sweep.points, sweep.slo_p95_s)

    def estimate_sweep(self, order: SweepOrder) -> SweepEstimate:
        """What a sweep would take, from what this database knows; ConfigError or UnknownError for what cannot be."""
        return self._estimate(self._site(order), self._select(self.workload(order.workload), order.items))

    def _site(self, order: SweepOrder) -> Site:
        return site_of(order, self._layers(self.workload(order.workload)))

    def _estimate(self, site: Site, items: Sequence[str]) -> SweepEstimate:
        workload = site.workload
        layers = self._layers(workload)
        basis = Basis(
            self.store.catalogue.item(workload.item_kind, items[0]) if items else None,
            self._history(workload),
            self._points_before(site),
            {s.id: allocation(layers, s).max_tokens for s in workload.stages if s.kind == "llm"},
            EndpointCosts(site.endpoint),
            simulated=site.endpoint.kind == "practice",
        )
        return estimate(workload, site.order.resource, site.limits, len(items), site.model, basis)

    def _points_before(self, site: Site) -> tuple[SweepPoint, ...]:
        """The points of the newest sweep that measured the same server and model with the same workload."""
        mine = (site.endpoint.name, server_of(site.endpoint), site.model)
        earlier = self.sweeps(workload=site.workload.id, resource=site.order.resource)
        return next((s.points for s in earlier if (s.endpoint, s.server, s.model) == mine and s.points), ())

    def _sweep_launch(self, order: SweepOrder, who: str) -> Launch:
        """The run that a sweep is; RunError where its items are too few or its cost is above the budget."""
        site = self._site(order)
        items = self._select(self.workload(order.workload), order.items)
        told = self._estimate(site, items)
        _enough(told)
        _affordable(told, order.budget)
        limits = {"llm_limit": self.settings.llm_limit, "search_limit": self.settings.search_limit}
        limits |= {f"{order.resource}_limit": AUTO, f"{order.resource}_max": max(site.limits)}
        return Launch(
            workload=site.workload,
            items=tuple(items),
            who=who,
            model=site.model,
            overrides=site.overrides(who),
            budget=order.budget,
            sweep=order,
            **limits,  # type: ignore[arg-type]  # limits and bounds by their fields' names
        )

    def apply_sweep(self, sweep_id: str, *, who: str) -> list[str]:
        """Give the knee to the runs in progress on the workload, or where there are none to all later ones.

        The ids of the runs that were told. RunError when the sweep has measured nothing.
        """
        sweep = self.sweep(sweep_id)
        knee = self.frontier(sweep).knee
        if knee is None:
            msg = f"Sweep {sweep.id} has measured nothing that could be applied; start another."
            raise RunError(msg)
        action = f"{sweep.resource}_limit"
        runs = [run for run in self.runs(workload=sweep.workload) if run.status in AT_WORK and run.owner_alive]
        told = [run.id for run in runs if not run.settings.get("sweep")]
        for run_id in told:
            self.control(run_id, action, str(knee), who=who, reason=f"The knee of sweep {sweep.id}.")
        if not told:
            self.store.settings.set(action, str(knee), who)
        return told

    def usual_limit(self, resource: str) -> Wanted:
        """The limit that a run begins with: by hand, else what a sweep left in the database, else the settings."""
        name = f"{resource}_limit"
        usual: Wanted = getattr(self.settings, name)
        stored = None if self._by_hand(name) else self.store.settings.get(name)
        return usual if stored is None else parse_wanted(stored, resource)

    def _by_hand(self, setting: str) -> bool:
        """Whether a setting was given on the command line."""
        return self.settings.sources.get(setting, "").startswith("command line")


def _affordable(told: SweepEstimate, budget: Decimal | None) -> None:
    """RunError when the sweep would cost more than the budget."""
    if budget is None or told.cost_usd is None or told.cost_usd[1] <= budget:
        return
    basis = " (prices times caps: no run has used this model yet)" if told.basis == "caps" else ""
    msg = (
        f"The sweep could cost up to {told.cost_usd[1]:.4f} USD{basis}, the budget is {budget} USD. "
        "Sweep fewer or lower limits, or raise the budget."
    )
    raise RunError(msg)


def _enough(told: SweepEstimate) -> None:
    """RunError when the items are too few for even the lowest limit."""
    if told.reachable:
        return
    msg = (
        f"{told.items} items are too few: the whole sweep of {len(told.limits)} limits needs about "
        f"{told.items_needed}. Choose more items, or fewer and lower limits."
    )
    raise RunError(msg)
