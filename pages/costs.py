"""Costs: in all, by stage and model, over time and by item."""

import streamlit as st

from core.ui.components.costs import show_breakdown, show_dearest, show_totals
from core.ui.components.problem import show_empty
from core.ui.components.runs import pick_run
from core.ui.frame import open_page
from core.ui.language import t

desk = open_page("costs")
head, picker = st.columns([3, 4], vertical_alignment="bottom")
head.title(t("nav.costs"), anchor=False)
with picker:
    run = pick_run(desk.service)
if run is None:
    show_empty("empty.runs", ":material/payments:", go="pages/run.py")
    st.stop()
stats = desk.service.stages(run.id)
if not stats:
    show_empty("empty.measures", ":material/payments:")
    st.stop()
show_totals(run, stats)
show_breakdown(desk.service, run, stats)
show_dearest(desk.service, run)
