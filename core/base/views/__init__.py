"""What a page, `--json` and a test may see of the store: frozen snapshots, never rows or connections.

Durations are seconds, times `*_at` wall seconds since the epoch, `t` seconds since the run's start, money `Decimal`
US dollars with None for "unpriced". What answers "what if" and "why" is in `core.base.tuning_views`.
"""

from core.base.views.forecasts import Caveat, Forecast, Level, StageHistory
from core.base.views.measured import Bucket, GateSample, LaneSample, LimitChangeView, StageCost, StageStats
from core.base.views.runs import AttemptView, ControlView, ItemPage, ItemView, ResultView, RunSnapshot, RunView
from core.base.views.settings import AllocationView, DayView, EndpointView
from core.base.views.sweeps import SweepEstimate, SweepPoint, SweepView

__all__ = [
    "AllocationView",
    "AttemptView",
    "Bucket",
    "Caveat",
    "ControlView",
    "DayView",
    "EndpointView",
    "Forecast",
    "GateSample",
    "ItemPage",
    "ItemView",
    "LaneSample",
    "Level",
    "LimitChangeView",
    "ResultView",
    "RunSnapshot",
    "RunView",
    "StageCost",
    "StageHistory",
    "StageStats",
    "SweepEstimate",
    "SweepPoint",
    "SweepView",
]
