"""Within that time and money: which limits and models? Every candidate is forecast, the feasible ones are ranked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product
from math import ceil

from core.base.tuning_views import Option, Plan
from core.base.views import Caveat, Forecast, StageHistory
from core.tuning.forecast import forecast
from core.tuning.proposal import Proposal

LIMITS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
REACH = 2.0
MOST_MIXES = 12

Models = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Wish:
    """Seconds and US dollars that a run may take; None: any."""

    deadline_s: float | None = None
    budget_usd: Decimal | None = None


def plan_for(
    proposal: Proposal,
    history: Sequence[StageHistory],
    wish: Wish,
    *,
    llm_limits: Iterable[int] = (),
    models: Iterable[Models] = (),
    most: int | None = None,
) -> Plan:
    """The plan among these limits and models; without any, among doublings up to twice what was measured, and all
    models that were measured. most: the workload's own most of model calls in flight."""
    limits = sorted({min(n, most or n) for n in llm_limits or likely_limits(proposal, history)})
    mixes = list(models) or model_mixes(proposal, history)
    options = [_option(replace(proposal, llm_limit=n, models=mix), history, wish) for mix in mixes for n in limits]
    known = [option for option in options if option.forecast.basis != "none"]
    feasible = sorted((o for o in known if o.feasible), key=lambda option: _rank(option, wish))
    if feasible:
        return Plan(proposal.items, wish.deadline_s, wish.budget_usd, tuple(feasible), feasible[0])
    best = min(known, key=lambda option: _excess(option.forecast, wish), default=None)
    needs = _needs(known, best, wish) if best else options[0].forecast.caveats
    return Plan(proposal.items, wish.deadline_s, wish.budget_usd, (), best, needs)


def likely_limits(proposal: Proposal, history: Sequence[StageHistory]) -> list[int]:
    """Doublings up to twice the most that was measured in flight, and the limit asked for."""
    most = max((level.in_flight for h in history if h.resource == "llm" for level in h.levels), default=1.0)
    return sorted({n for n in LIMITS if n <= REACH * most} | {proposal.llm_limit})


def model_mixes(proposal: Proposal, history: Sequence[StageHistory]) -> Sequence[Models]:
    """Which model for which stage: what is asked for, and every mix of the measured ones (the first dozen)."""
    stages = [stage.id for stage in proposal.workload.stages if stage.kind == "llm"]
    seen = {s: list(dict.fromkeys(h.model for h in history if h.stage == s)) for s in stages}
    asked = {s: proposal.models.get(s) or (seen[s][0] if seen[s] else "") for s in stages}
    mixes = [dict(zip(stages, mix, strict=True)) for mix in product(*(seen[s] or [asked[s]] for s in stages))]
    return [asked, *(mix for mix in mixes if mix != asked)][:MOST_MIXES]


def _option(proposal: Proposal, history: Sequence[StageHistory], wish: Wish) -> Option:
    told = forecast(proposal, history)
    cost = told.cost_usd or (None, None, None)
    time = told.duration_s or (None, None, None)
    return Option(
        proposal.llm_limit,
        proposal.search_limit,
        proposal.models,
        told,
        meets_deadline=_within(time[1], wish.deadline_s),
        meets_budget=_within(cost[1], wish.budget_usd),
        sure_deadline=_within(time[2], wish.deadline_s),
        sure_budget=_within(cost[2], wish.budget_usd),
    )


def _within(value: float | Decimal | None, most: float | Decimal | None) -> bool | None:
    """Whether a value keeps a wish: None without one, False where the value is not known."""
    if most is None:
        return None
    return value is not None and value <= most


def _rank(option: Option, wish: Wish) -> tuple[bool, Decimal, float, int]:
    """Sure before likely, then cheaper, then the lower limit where there is a deadline, else the faster."""
    sure = option.sure_deadline is not False and option.sure_budget is not False
    cost = option.forecast.cost_usd[1] if option.forecast.cost_usd else Decimal(0)
    time = option.forecast.duration_s[1] if option.forecast.duration_s and wish.deadline_s is None else 0.0
    return not sure, round(cost, 4), time, option.llm_limit


def _excess(told: Forecast, wish: Wish) -> tuple[float, float]:
    """By what factor a forecast misses the wish that it misses most, then its duration."""
    return max(_over_time(told, wish), _over_budget(told, wish)), told.duration_s[1] if told.duration_s else 0.0


def _over_time(told: Forecast, wish: Wish) -> float:
    return told.duration_s[1] / max(wish.deadline_s, 1e-9) if told.duration_s and wish.deadline_s is not None else 0.0


def _over_budget(told: Forecast, wish: Wish) -> float:
    if wish.budget_usd is None:
        return 0.0
    if told.cost_usd is None:
        return float("inf")
    return float(told.cost_usd[1] / max(wish.budget_usd, Decimal("1e-9")))


def _needs(options: Sequence[Option], best: Option, wish: Wish) -> tuple[Caveat, ...]:
    """What would have to change; each alone would do, were the other wish met."""
    found = []
    over_time, over_budget = _over_time(best.forecast, wish), _over_budget(best.forecast, wish)
    if over_time > 1 and best.forecast.duration_s:
        found.append(Caveat("more_time", {"duration_s": best.forecast.duration_s[2]}))
        found.append(Caveat("more_endpoints", {"copies": ceil(over_time)}))
    if over_budget > 1:
        costs = [option.forecast.cost_usd[2] for option in options if option.forecast.cost_usd]
        found += [Caveat("more_budget", {"cost_usd": min(costs)})] if costs else list(best.forecast.caveats)
    worst = max(over_time, over_budget)
    if 1 < worst < float("inf"):
        found.append(Caveat("fewer_items", {"items": int(best.forecast.items / worst)}))
    return tuple(found)
