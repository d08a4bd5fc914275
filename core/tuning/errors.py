"""How far off a forecast was, once its run is finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from core.base.records import RunStatus
from core.base.tuning_views import ForecastError
from core.base.views import Forecast, RunView

PAUSED_SHARE = 0.02


def kept(told: Forecast) -> dict[str, Any]:
    """A forecast as a run's settings keep it: money as text."""
    cost = None if told.cost_usd is None else [str(usd) for usd in told.cost_usd]
    return {**asdict(told), "cost_usd": cost, "in_flight": dict(told.in_flight)}


def forecast_error(run: RunView, changes: Sequence[object]) -> ForecastError | None:
    """The error of the forecast that a run was started with; None where it had none or is not finished."""
    told: Mapping[str, Any] | None = run.settings.get("forecast")
    if told is None or run.status is not RunStatus.FINISHED or told.get("basis") == "none":
        return None
    measured_s = float(run.measures.get("wall_s", run.wall_s))
    duration = told.get("duration_s")
    cost = told.get("cost_usd")
    usd = None if cost is None else (Decimal(cost[0]), Decimal(cost[1]), Decimal(cost[2]))
    return ForecastError(
        run_id=run.id,
        ended_at=run.ended_at or run.created_at,
        items=run.selected,
        basis=str(told.get("basis", "")),
        forecast_s=None if duration is None else (duration[0], duration[1], duration[2]),
        measured_s=measured_s,
        duration_error=measured_s / duration[1] - 1 if duration and duration[1] else None,
        within=duration[0] <= measured_s <= duration[2] if duration else None,
        forecast_usd=usd,
        measured_usd=run.cost_usd,
        cost_error=_error(run.cost_usd, usd[1] if usd else None),
        as_ordered=not changes and not _interrupted(run, measured_s),
    )


def _error(measured: Decimal | None, expected: Decimal | None) -> float | None:
    return float(measured / expected) - 1 if measured is not None and expected else None


def _interrupted(run: RunView, worked_s: float) -> bool:
    """Whether the run was paused or resumed: it then took longer by the clock than it was at work."""
    if run.started_at is None or run.ended_at is None:
        return False
    return run.ended_at - run.started_at > worked_s * (1 + PAUSED_SHARE) + 1.0
