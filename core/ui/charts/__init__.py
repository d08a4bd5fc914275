"""Pure chart builders: frozen views and words in, a Plotly figure out. No Streamlit, no reading of anything."""

from core.ui.charts.cost import cost_by_stage, cost_over_time
from core.ui.charts.flow import Mark, in_flight, throughput
from core.ui.charts.latency import latency
from core.ui.charts.style import DARK, LIGHT, Palette
from core.ui.charts.timeline import Rows, timeline

__all__ = [
    "DARK",
    "LIGHT",
    "Mark",
    "Palette",
    "Rows",
    "cost_by_stage",
    "cost_over_time",
    "in_flight",
    "latency",
    "throughput",
    "timeline",
]
