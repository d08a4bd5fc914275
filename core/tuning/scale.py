"""Millions of items: how many servers as fast as the measured ones, how many days, how many dollars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import ceil

from core.base.endpoints import EndpointConfig
from core.base.errors import UsageError
from core.base.tuning_views import Range, Scale, UsdRange
from core.base.views import Caveat, Forecast, StageHistory
from core.tuning.choices import likely_limits
from core.tuning.forecast import forecast, rate, simulated
from core.tuning.proposal import Proposal, Study, typical
from core.tuning.speed import REACH

DAY_S = 86_400.0
GOOD = 0.95
LONG = 5_000  # items of the forecast whose range is taken over
AMPLE = 4_096
WINDOWS = 4
SPARE = 1.3


@dataclass(frozen=True, slots=True)
class Ask:
    """Either so many servers or so many days; usd_per_gpu_hour: what a server costs, None: the price per call."""

    gpus: int | None = None
    days: float | None = None
    usd_per_gpu_hour: Decimal | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.gpus, self.days) if value is not None]
        if len(given) != 1 or given[0] <= 0:
            msg = (
                f"gpus = {self.gpus}, days = {self.days}: say how many servers there are (1 or more), or how many days."
            )
            raise UsageError(msg)


def scale(proposal: Proposal, history: Sequence[StageHistory], ask: Ask) -> Scale | None:
    """The plan for `proposal.items`; None where a stage was never measured.

    A server is one of the endpoints that were measured; where the stages use several, they are multiplied together.
    The searches are taken to keep up: how many a second that means is said. proposal.llm_limit 0 finds the lowest limit
    that gives 95 % of what any measured one would.
    """
    study = Study(replace(proposal, items=max(1, proposal.items), search_limit=AMPLE), history)
    if not study.plans or study.missing:
        return None
    found = _at(study.proposal, proposal.llm_limit or good_limit(study, history))
    told = forecast(replace(found, items=LONG), history)
    return _scaled(Study(found, history), told, ask)


def good_limit(study: Study, history: Sequence[StageHistory]) -> int:
    """The lowest limit with nearly the best throughput among those that were measured."""
    most = max(level.in_flight for h in history if h.resource == "llm" for level in h.levels)
    limits = [n for n in likely_limits(replace(study.proposal, llm_limit=1), history) if n <= most * REACH] or [1]
    rates = {n: _rate(Study(_at(study.proposal, n), history)) for n in limits}
    return min(n for n in limits if rates[n] >= GOOD * max(rates.values()))


def _at(proposal: Proposal, llm_limit: int) -> Proposal:
    """The proposal with a limit, and a window that follows from it alone: searches are not what it waits for."""
    return replace(proposal, llm_limit=llm_limit, window=WINDOWS * llm_limit)


def _rate(study: Study) -> float:
    """Items per second of one set of servers."""
    _, runs = simulated(study.scenario(), LONG * 100, seeds=1)
    return rate(runs[0])


def _scaled(study: Study, told: Forecast, ask: Ask) -> Scale:
    items, per_second = study.proposal.items, _rate(study)
    set_size = len(_servers(study))
    sets = max(1, (ask.gpus or 0) // set_size)
    if ask.days is not None:
        sets = max(1, ceil(items / (per_second * ask.days * DAY_S)))
    days = _days(items / (per_second * sets * DAY_S), told)
    searches_per_s = per_second * sets * study.per_item(kind="search")
    return Scale(
        items=items,
        gpus=sets * set_size,
        days=days,
        cost_usd=_cost(told, items, days, sets * set_size, ask),
        cost_basis="gpu_hours" if ask.usd_per_gpu_hour is not None else "tokens" if told.cost_usd else "none",
        usd_per_gpu_hour=ask.usd_per_gpu_hour,
        items_per_day=per_second * sets * DAY_S,
        llm_calls=round(items * study.per_item(kind="llm")),
        input_tokens=_tokens(study, "input_tokens"),
        output_tokens=_tokens(study, "output_tokens"),
        llm_limit=study.proposal.llm_limit,
        search_limit=_searches_in_flight(study, per_second * sets),
        searches_per_s=searches_per_s,
        basis=told.basis,
        caveats=_caveats(told, ask, set_size),
    )


def _servers(study: Study) -> dict[str, EndpointConfig]:
    """The endpoints of the model stages: one set of servers."""
    stages = [stage for stage, rows in study.seen.items() if rows[0].resource == "llm"]
    return {there.name: there for stage in stages for there in study.endpoints(stage)}


def _days(middle: float, told: Forecast) -> Range:
    """The forecast's range, relative to its middle, about these days."""
    low, expected, high = told.duration_s or (1.0, 1.0, 1.0)
    return middle * low / expected, middle, middle * high / expected


def _cost(told: Forecast, items: int, days: Range, gpus: int, ask: Ask) -> UsdRange | None:
    if ask.usd_per_gpu_hour is not None:
        low, middle, high = (Decimal(24 * gpus * day) * ask.usd_per_gpu_hour for day in days)
        return low, middle, high
    if told.cost_usd is None:
        return None
    low, middle, high = (usd * items / told.items for usd in told.cost_usd)
    return low, middle, high


def _tokens(study: Study, name: str) -> float:
    """Tokens of all items."""
    return study.proposal.items * sum(
        study.per_item(stage) * float(getattr(rows[0], name)) * (1 - rows[0].skip_share)
        for stage, rows in study.seen.items()
        if rows[0].resource == "llm"
    )


def _searches_in_flight(study: Study, items_per_s: float) -> int:
    """The search limit that keeps up, with a third to spare (Little's law)."""
    busy = sum(
        typical(rows) * sum(node.stage.id == stage for node in study.nodes) / len(study.plans)
        for stage, rows in study.seen.items()
        if rows[0].resource == "search"
    )
    return ceil(SPARE * items_per_s * busy)


def _caveats(told: Forecast, ask: Ask, set_size: int) -> tuple[Caveat, ...]:
    kept = [caveat for caveat in told.caveats if caveat.key != "steady_state"]
    if ask.gpus is not None and ask.gpus % set_size:
        kept.append(Caveat("whole_sets", {"gpus": ask.gpus, "set": set_size}))
    return tuple(kept)
