"""What the fake service tells of what is to come: forecasts, plans, servers for millions, and how far off it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from core.base.errors import RunError, UsageError
from core.base.tuning_views import ForecastError, Option, Plan, Scale
from core.base.views import Caveat, Forecast

CALL_S, CALL_USD = 0.9, Decimal("0.0019")
SCALE = Scale(
    10_000_000, 12, (5.1, 5.6, 6.4), (Decimal(4000), Decimal(4480), Decimal(5100)), "gpu_hours", Decimal("2.50"),
    1_785_000.0, 40_000_000, 32.8e9, 3.8e9, 88, 40, 20.7, "history",
)  # fmt: skip
ERRORS = (
    ForecastError(
        "run-done", 1.7e9, 240, "history", (190.0, 205.0, 260.0), 218.0, 0.063, True,
        (Decimal("1.6"), Decimal("1.8"), Decimal("2.2")), Decimal("1.8421"), 0.023,
    ),
    ForecastError("run-old", 1.69e9, 40, "extrapolation", (20.0, 30.0, 90.0), 120.0, 3.0, False, None, None, None, as_ordered=False),  # noqa: E501
)  # fmt: skip


class FakeAhead:
    """The forward-looking half of the fake service; expects `hostile`, `refuse`, `scene` and `_count` beside it."""

    hostile: bool
    refuse: str | None
    scene: str
    sent: list[tuple[Any, ...]]

    def forecast(
        self,
        workload: str,
        items: str | int | Sequence[str],
        *,
        llm_limit: int | str | None = None,
        search_limit: int | str | None = None,
        model: str | None = None,
        stage_models: Mapping[str, str] | None = None,
        copies: int = 1,
    ) -> Forecast:
        limit = llm_limit if isinstance(llm_limit, int) else 16
        count = items if isinstance(items, int) else self._count(workload, items)
        if workload == "celtic-cross" or model == "extractive":
            never = Caveat("no_history", {"stages": ["card_interpretation"], "models": []})
            return Forecast(count, 0, count * 7, None, None, "none", (never,))
        calls, cost = count * 4, count * 4 * CALL_USD
        seconds = calls * CALL_S / limit
        told = Forecast(
            count, count, calls, (seconds * 0.8, seconds, seconds * 1.4),
            (cost * Decimal("0.85"), cost, cost * Decimal("1.2")), "history",
            bottleneck="stage:total_summary" if limit > 32 else "llm", in_flight={"llm": limit * 0.9},
        )  # fmt: skip
        return replace(told, basis="extrapolation", caveats=self._caveats(limit)) if limit > 32 else told

    what_if = forecast

    def _caveats(self, limit: int) -> tuple[Caveat, ...]:
        name = "<b>gpu</b> [x](javascript:alert(1))" if self.hostile else "gpu-1"
        return (
            Caveat("beyond_measured", {"endpoint": name, "measured": 31.5, "wanted": float(limit)}),
            Caveat("few_requests", {"stage": "total_summary", "requests": 12}),
            Caveat("unpriced", {"stages": ["aspect_summary", "total_summary"]}),
        )

    def plan_for(
        self,
        workload: str,
        items: str | int | Sequence[str],
        *,
        deadline_s: float | None = None,
        budget: Decimal | None = None,
        llm_limits: Iterable[int] = (),
        **wanted: Any,
    ) -> Plan:
        told = {n: self.forecast(workload, items, llm_limit=n) for n in llm_limits or (8, 16, 32, 64)}
        options = [self._option(n, f, deadline_s, budget) for n, f in told.items() if f.basis != "none"]
        count = next(iter(told.values())).items
        if not options:
            return Plan(count, deadline_s, budget, (), None, next(iter(told.values())).caveats)
        good = tuple(o for o in options if o.feasible)
        needs = (Caveat("more_time", {"duration_s": 4000.0}), Caveat("fewer_items", {"items": count // 3}))
        return Plan(count, deadline_s, budget, good, (*good, options[-1])[0], () if good else needs)

    @staticmethod
    def _option(limit: int, told: Forecast, deadline_s: float | None, budget: Decimal | None) -> Option:
        assert told.duration_s is not None
        assert told.cost_usd is not None
        time = [None if deadline_s is None else told.duration_s[n] <= deadline_s for n in (1, 2)]
        cost = [None if budget is None else told.cost_usd[n] <= budget for n in (1, 2)]
        models = {"aspect_summary": "practice-small", "total_summary": "practice-large"}
        return Option(limit, 8, models, told, time[0], cost[0], time[1], cost[1])

    def scale(
        self,
        workload: str,
        items: int,
        *,
        gpus: int | None = None,
        days: float | None = None,
        usd_per_gpu_hour: Decimal | None = None,
        **wanted: Any,
    ) -> Scale | None:
        if (gpus is None) == (days is None):
            msg = f"gpus = {gpus}, days = {days}: say how many servers there are (1 or more), or how many days."
            raise UsageError(msg)
        self.sent.append(("scale", workload, items, gpus, days, usd_per_gpu_hour))
        if workload == "celtic-cross":
            return None
        unpaid = {} if usd_per_gpu_hour else {"cost_usd": None, "cost_basis": "none"}
        return replace(SCALE, items=items, gpus=gpus or 12, caveats=self._caveats(88), **unpaid)

    def forecast_errors(self, workload: str, limit: int = 50) -> list[ForecastError]:
        if workload == "celtic-cross" or self.scene == "empty":
            return []
        return list(ERRORS)

    def start_sample(self, workload: str, items: str | Sequence[str], *, who: str, n: int = 5, **wanted: Any) -> str:
        if self.refuse:
            raise RunError(self.refuse)
        self.sent.append(("sample", workload, items, n, wanted["llm_limit"], wanted["cache"], who))
        return "run-live"

    def _count(self, workload: str, items: str | Sequence[str]) -> int:
        raise NotImplementedError
