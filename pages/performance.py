"""Performance: quantiles per stage, in flight over time with the operator's marks, the timeline of one item."""

import streamlit as st

from core.ui.components.measures import show_flow, show_headline, show_latency, show_timeline
from core.ui.components.problem import show_empty
from core.ui.components.runs import pick_run
from core.ui.frame import open_page
from core.ui.language import t

desk = open_page("performance")
head, picker = st.columns([3, 4], vertical_alignment="bottom")
head.title(t("nav.performance"), anchor=False)
with picker:
    run = pick_run(desk.service)
if run is None:
    show_empty("empty.runs", ":material/speed:", go="pages/run.py")
    st.stop()
stats = desk.service.stages(run.id)
if not stats:
    show_empty("empty.measures", ":material/speed:")
    st.stop()
show_headline(desk.service, run)
show_latency(desk.service, run, stats)
show_flow(desk.service, run)
show_timeline(desk.service, run)
