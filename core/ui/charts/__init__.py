"""Pure chart builders: frozen views and words in, a Plotly figure out. No Streamlit, no reading of anything."""

from core.ui.charts.constraints import constraints
from core.ui.charts.cost import cost_by_stage, cost_over_time
from core.ui.charts.errors import forecast_errors
from core.ui.charts.flow import Flow, Mark, over_time
from core.ui.charts.frontier import Series, frontier
from core.ui.charts.latency import latency
from core.ui.charts.style import DARK, LIGHT, Palette
from core.ui.charts.timeline import Rows, timeline

__all__ = [
    "DARK",
    "LIGHT",
    "Flow",
    "Mark",
    "Palette",
    "Rows",
    "Series",
    "constraints",
    "cost_by_stage",
    "cost_over_time",
    "forecast_errors",
    "frontier",
    "latency",
    "over_time",
    "timeline",
]
