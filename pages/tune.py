"""Tune: measure what a server gives at several limits, see the knee, use it; rehearse that on a practice server."""

import streamlit as st

from core.ui.components.problem import show_empty
from core.ui.components.tune_launch import show_sweep_estimate
from core.ui.components.tune_order import take_sweep
from core.ui.components.tune_presets import show_rehearsal
from core.ui.components.tune_result import show_sweep
from core.ui.components.tune_view import pick_sweep
from core.ui.frame import Desk, open_page
from core.ui.language import t


def compose(desk: Desk) -> None:
    """A new sweep: what, where, which limits; what it would take; the start."""
    order = take_sweep(desk)
    if order is not None:
        show_sweep_estimate(desk, order)


def watch(desk: Desk) -> None:
    """The sweep in view, with others beside it; where there is none, what would stand here."""
    picked = pick_sweep(desk.service)
    if picked is None:
        show_empty("empty.sweeps", ":material/speed:")
    else:
        show_sweep(desk, *picked)


desk = open_page("tune")
st.title(t("nav.tune"), anchor=False)
left, right = st.columns([4, 9], gap="medium")
with left:
    compose(desk)
with right:
    watch(desk)
show_rehearsal()
