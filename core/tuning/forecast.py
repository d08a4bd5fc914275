"""What a run would do before it is started: calls, duration and cost, from the history of the same workload.

The run is simulated (`core.tuning.simulate`) with several seeds; of a large one the beginning, whose steady rate says
what the rest takes. The range holds four cases of five: the seeds' spread, the error of the measured means, the fit's
error and the gap to what was measured, and 3 % for what no simulation knows. Where more calls are in flight than were
ever measured, the range reaches from "no slower than there" to "no more throughput than there".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from math import hypot, log2, sqrt
from statistics import fmean, pstdev

from core.base.views import Caveat, Forecast, StageHistory
from core.tuning.proposal import Proposal, Study, typical
from core.tuning.scenario import Scenario
from core.tuning.simulate import Played, play
from core.tuning.speed import REACH

SEEDS = 3
FEWEST_ITEMS = 300
WINDOWS = 4
MANY_CALLS = 6000
MODEL_ERROR = 0.03
COST_ERROR = 0.02
GAP_ERROR = 0.05
Z80 = 1.28
P90_P10 = 2.56
WORTH_NAMING = 0.3
EXTRAPOLATED = ("one_level", "beyond_measured", "borrowed_endpoint")
FLAT, FULL = 0.0, 1.0


def forecast(proposal: Proposal, history: Sequence[StageHistory]) -> Forecast:
    """The forecast; basis `none` where a stage was never measured with its model."""
    study = Study(proposal, history)
    told = Forecast(
        items=proposal.items,
        search_calls=round(proposal.items * study.per_item(kind="search")),
        llm_calls=round(proposal.items * study.per_item(kind="llm")),
        duration_s=None,
        cost_usd=None,
        basis="none",
    )
    if not study.plans:
        return told
    if study.missing:
        return replace(told, caveats=(_unknown(study),))
    return _measured(study, told)


def _unknown(study: Study) -> Caveat:
    models = sorted({study.proposal.models.get(stage, "") for stage in study.missing} - {""})
    return Caveat("no_history", {"stages": study.missing, "models": models})


def _measured(study: Study, told: Forecast) -> Forecast:
    size, runs = simulated(study.scenario(), told.items)
    caveats = [*study.caveats(), *reach(study, runs[0])]
    cost = costs(study)
    if cost is None:
        caveats.append(Caveat("unpriced", {"stages": _unpriced(study)}))
    if size < told.items:
        caveats.append(Caveat("steady_state", {"simulated": size, "items": told.items}))
    return replace(
        told,
        duration_s=_range(study, size, runs, caveats),
        cost_usd=cost,
        basis="extrapolation" if any(c.key in EXTRAPOLATED for c in caveats) else "history",
        caveats=tuple(caveats),
        bottleneck=bottleneck(runs[0]),
        in_flight={name: round(value, 2) for name, value in runs[0].in_flight.items()},
    )


def simulated(scenario: Scenario, items: int, seeds: int = SEEDS) -> tuple[int, list[Played]]:
    """How many of the items were simulated, and the runs; one seed where that is work enough."""
    size = min(items, max(FEWEST_ITEMS, WINDOWS * scenario.most_items))
    calls = size * fmean(len(plan.nodes) for plan in scenario.plans)
    return size, [play(scenario, size, seed) for seed in range(seeds if calls <= MANY_CALLS else 1)]


def duration(played: Played, size: int, items: int) -> float:
    """Seconds of a run over all items whose beginning was simulated."""
    return played.duration_s + (items - size) / rate(played) if items > size else played.duration_s


def rate(played: Played) -> float:
    """Items per second once the run is under way, until the last item is taken up; over all of a short run."""
    begin, end = 0.3 * played.exhausted_s, played.exhausted_s
    count = sum(begin < at <= end for at in played.finished)
    return count / (end - begin) if count > 1 else len(played.finished) / max(played.duration_s, 1e-9)


def bottleneck(played: Played) -> str:
    """The resource that the run waited for longest; '' where it is not worth naming."""
    if not played.waited:
        return ""
    name, seconds = max(played.waited.items(), key=lambda pair: pair[1])
    return name if seconds >= WORTH_NAMING * played.duration_s else ""


def _range(study: Study, size: int, runs: Sequence[Played], caveats: Sequence[Caveat]) -> tuple[float, float, float]:
    items = study.proposal.items
    lengths = [duration(played, size, items) for played in runs]
    middle = fmean(lengths)
    margin = Z80 * hypot(_noise(lengths, size / items), _mean_error(study), _fit_error(study, runs[0]), MODEL_ERROR)
    low, high = middle * max(0.0, 1 - margin), middle * (1 + margin)
    if any(c.key in ("one_level", "beyond_measured") for c in caveats):
        low = min(low, _bound(study, FLAT) * max(0.0, 1 - margin))
        high = max(high, _bound(study, FULL) * (1 + margin))
    return low * _shrink(study, runs[0]), middle, high


def _noise(lengths: Sequence[float], part: float) -> float:
    """The relative spread over the seeds; a run of k times the length spreads with 1 / sqrt(k)."""
    return pstdev(lengths) / fmean(lengths) * sqrt(part) if fmean(lengths) else 0.0


def _mean_error(study: Study) -> float:
    """The relative error of the mean time of a call, over the kinds by the time they take."""
    weights = {stage: study.per_item(stage) * typical(rows) for stage, rows in study.seen.items()}
    whole = sum(weights.values())
    return hypot(*(weights[s] / whole * _standard_error(rows) for s, rows in study.seen.items())) if whole else 0.0


def _standard_error(rows: Sequence[StageHistory]) -> float:
    spread = fmean((row.service_p90_s - row.service_p10_s) / P90_P10 for row in rows)
    return spread / (typical(rows) * sqrt(sum(row.requests for row in rows))) if typical(rows) else 0.0


def _fit_error(study: Study, played: Played) -> float:
    """The fit's error at the busiest endpoint, and 5 % for each doubling between so many and the nearest measured."""
    name = max(played.crowd, key=lambda endpoint: played.crowd[endpoint])
    origin, crowd = _origin(study, name), max(played.crowd[name], 1.0)
    gap = min((abs(log2(level / crowd)) for level in study.measured(origin)), default=0.0)
    return hypot(study.speed(origin).error, GAP_ERROR * gap)


def _bound(study: Study, beyond: float) -> float:
    size, runs = simulated(study.scenario(beyond), study.proposal.items, seeds=1)
    return duration(runs[0], size, study.proposal.items)


def _shrink(study: Study, played: Played) -> float:
    """How much shorter calls might be with fewer in flight than the one level that was measured."""
    for name, crowd in played.crowd.items():
        speed = study.speed(_origin(study, name))
        if not speed.known and crowd < speed.lowest / REACH:
            return max(crowd, 1.0) / speed.lowest
    return 1.0


def _origin(study: Study, endpoint: str) -> str:
    stages = [stage for stage in study.seen if any(e.name == endpoint for e in study.endpoints(stage))]
    return study.origin(stages[0], endpoint)


def reach(study: Study, played: Played) -> list[Caveat]:
    """What is asked for beyond what was measured, by endpoint."""
    found = []
    for name, crowd in played.crowd.items():
        speed = study.speed(_origin(study, name))
        if not speed.covers(crowd):
            values = {"endpoint": name, "measured": round(speed.highest, 1), "wanted": round(crowd, 1)}
            found.append(Caveat("beyond_measured" if speed.known else "one_level", values))
    return found


def costs(study: Study) -> tuple[Decimal, Decimal, Decimal] | None:
    """USD: calls times the mean cost of a success with its failed tries; None where a model stage has no price."""
    total, variance = Decimal(0), 0.0
    for stage, rows in study.seen.items():
        if rows[0].resource == "search":
            continue
        if any(row.cost_usd is None for row in rows):
            return None
        for parts, share in _mix(study, stage).items():
            calls = study.proposal.items * share * (1 - rows[0].skip_share)
            mean, sigma, seen = _cost(rows, parts)
            total += Decimal(calls) * mean
            variance += sigma * sigma * (calls + calls * calls / seen)
    margin = min(total, Decimal(Z80 * hypot(sqrt(variance), COST_ERROR * float(total))))
    low, middle, high = (value.quantize(Decimal("1e-9")) for value in (total - margin, total, total + margin))
    return low, middle, high


def _mix(study: Study, stage: str) -> dict[int, float]:
    """Calls of a stage per item, by how many parts they are on."""
    found: dict[int, float] = {}
    for node in study.nodes:
        if node.stage.id == stage:
            found[len(node.parts)] = found.get(len(node.parts), 0.0) + 1 / len(study.plans)
    return found


def _cost(rows: Sequence[StageHistory], parts: int) -> tuple[Decimal, float, int]:
    """Mean USD and spread of a call on so many parts, or on the nearest number, and how many were measured."""
    nearest = min((row.parts for row in rows), key=lambda n: abs(n - parts))
    own = [row for row in rows if row.parts == nearest]
    seen = sum(row.requests for row in own)
    mean = sum(((row.cost_usd or Decimal(0)) * row.requests for row in own), Decimal(0)) / seen
    spread = max(float((row.cost_p90_usd or 0) - (row.cost_p10_usd or 0)) for row in own) / P90_P10
    scale = Decimal(parts) / nearest if parts and nearest else Decimal(1)
    return mean * scale, spread, seen


def _unpriced(study: Study) -> list[str]:
    return [s for s, rows in study.seen.items() if rows[0].resource == "llm" and any(r.cost_usd is None for r in rows)]
