"""What answers "what if", "by when", "how many GPUs", "what holds it back" and "did it help": frozen, like all views.

Sentences are data: a text's key and what to fill in, translated by whoever shows them. Shares and gains are numbers
(0.4 is 40 %), ranges are (low, expected, high) and hold four cases of five.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from core.base.views import Caveat, Forecast

Range = tuple[float, float, float]
UsdRange = tuple[Decimal, Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class ForecastError:
    """A finished run against the forecast it was started with.

    duration_error and cost_error are measured / expected - 1 (0.08: it took 8 % longer); None where either side is
    unknown. within: whether the measured duration lies inside the forecast's range. as_ordered False: its limits,
    models or items were changed on the way, or it was resumed, so that the forecast was of something else.
    """

    run_id: str
    ended_at: float
    items: int
    basis: str
    forecast_s: Range | None
    measured_s: float
    duration_error: float | None
    within: bool | None
    forecast_usd: UsdRange | None
    measured_usd: Decimal | None
    cost_error: float | None
    as_ordered: bool = True


@dataclass(frozen=True, slots=True)
class Option:
    """One way to run the items: limits and models (by stage), what it takes, and whether that is within the wishes.

    meets_*: judged by the expected value; sure_*: also at the range's high end. None: nothing was wished.
    """

    llm_limit: int
    search_limit: int
    models: Mapping[str, str]
    forecast: Forecast
    meets_deadline: bool | None
    meets_budget: bool | None
    sure_deadline: bool | None = None
    sure_budget: bool | None = None

    @property
    def feasible(self) -> bool:
        """Whether no wish is missed."""
        return self.meets_deadline is not False and self.meets_budget is not False


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer to "within that time and money: which limits and models?".

    options: all that are feasible, best first (sure before likely, then cheaper, then the lower limit among equally
    fast). best: the first of them or, where none is feasible, the one that misses least. needs, only where none is
    feasible: what would have to change, keys `more_time` (duration_s), `more_budget` (cost_usd), `fewer_items` (items),
    `more_endpoints` (copies: of today's servers, for the deadline), `no_history` (stages, models).
    """

    items: int
    deadline_s: float | None
    budget_usd: Decimal | None
    options: tuple[Option, ...]
    best: Option | None
    needs: tuple[Caveat, ...] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """What so many items need: servers as fast as the measured one, each used at `llm_limit`.

    gpus x days is what is bought; one of the two was asked for. cost_basis: `tokens` (price per call as measured),
    `gpu_hours` (usd_per_gpu_hour), or `none`. items_per_day is of all servers together. Caveats are a forecast's, and
    `whole_sets` (gpus, set): the stages need so many different servers, and only whole sets of them count.
    """

    items: int
    gpus: int
    days: Range
    cost_usd: UsdRange | None
    cost_basis: str
    usd_per_gpu_hour: Decimal | None
    items_per_day: float
    llm_calls: int
    input_tokens: float
    output_tokens: float
    llm_limit: int
    search_limit: int
    searches_per_s: float
    basis: str
    caveats: tuple[Caveat, ...] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """The part of the time in which a resource was what the run waited for.

    resource: `llm`, `search` (the gates), `stage` (its own most; `name`: the stage), `endpoint` (its seats), `rate`
    (quota or pacing), `cool_down` (a told or guessed wait after rejections), `outage` (no endpoint of a model answers),
    `cpu` (this program's loop), `disk` (the ledger's commits); `name` is the endpoint where there is one.
    """

    resource: str
    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What to do about it: a key and figures, and what it should bring.

    Keys: `raise_limit` (resource, old, new), `saturated` (resource, limit, name: raising brings nothing, the servers
    are at their most), `lower_limit` (resource, old, new: as fast with fewer), `raise_seats` (name, old, new),
    `raise_rate` (name), `add_endpoint` (name), `raise_stage` (name, old, new), `wait_for_endpoint` (name),
    `more_processes`, `faster_disk`, `longer_run` (nothing held it back: the run was too short or its window too small).
    gain: items per second more, as a share; None where it cannot be told. basis: `simulation`, `arithmetic`, `none`,
    or `extrapolation` where so many calls in flight were never measured: the gain is then anything from `between[0]`
    (no more throughput than was measured) to `between[1]` (no slower than was measured).
    """

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)
    gain: float | None = None
    basis: str = "none"
    between: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Attribution:
    """What held a run back: shares of the time it was watched, the largest first; they add up to at most 1.

    key and values are one sentence: `gate_full` (resource, name, share, limit), `rate_bound`, `cooling`, `outage`,
    `cpu_bound`, `disk_bound` (resource, name, share), `unconstrained` (share: of the largest), `not_measured`.
    watched_s: how long that was, pauses not counted.
    """

    shares: tuple[Share, ...]
    watched_s: float
    key: str
    values: Mapping[str, Any]
    suggestion: Suggestion | None


@dataclass(frozen=True, slots=True)
class Window:
    """What a run did in a stretch of time (seconds since its start), one resource's calls: rates per second.

    cost_per_item is over the items that ended in it; None without items or price, p95_s None without calls.
    """

    begin: float
    end: float
    calls_per_s: float
    tokens_per_s: float
    items_per_s: float
    p50_s: float | None
    p95_s: float | None
    rate_limited: int
    cost_per_item: Decimal | None


@dataclass(frozen=True, slots=True)
class ChangeEffect:
    """A change of a limit and what it did, over comparable windows before and after it.

    `t` in seconds since the run's start; phase and reason as the algorithm or the operator gave them. before or after
    None: there was no such window (too close to the start, the end or the next change). gain: calls per second after
    over before - 1.
    """

    t: float
    resource: str
    endpoint: str
    old: int
    new: int
    reason: str
    phase: str
    who: str
    before: Window | None
    after: Window | None
    gain: float | None


@dataclass(frozen=True, slots=True)
class Followed:
    """A change that somebody made, what the simulation of that moment expected of it, and what was measured."""

    effect: ChangeEffect
    expected_gain: float | None
    measured_gain: float | None


@dataclass(frozen=True, slots=True)
class TimeSaved:
    """What running side by side saved, from the attempts: serial is the sum of all service times.

    serial_s and saved_s are ranges: what the same run over other items of this kind would give (the total of n items
    spreads with sqrt(n) times the spread of one). item_s: an item's own work, 10th, 50th and 90th percentile.
    speedup: serial over wall. in_flight: mean and peak by resource.
    """

    wall_s: float
    serial_s: Range
    saved_s: Range
    speedup: float
    item_s: Range
    in_flight_mean: Mapping[str, float]
    in_flight_peak: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ConstraintSlice:
    """A resource's share (see `Share`) in the slice of `width_s` seconds that begins `t` seconds after the start."""

    t: float
    width_s: float
    resource: str
    name: str
    share: float
