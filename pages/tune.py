"""Tune: measure what a server gives at several limits and use its knee; or look ahead at what runs would take."""

import streamlit as st

from core.ui.components.problem import show_empty
from core.ui.components.tune_ahead import pick_view, show_ahead
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


def measure(desk: Desk) -> None:
    """Sweeps: a new one on the left, those there are on the right, and what to rehearse on."""
    left, right = st.columns([4, 9], gap="medium")
    with left:
        compose(desk)
    with right:
        watch(desk)
    show_rehearsal()


desk = open_page("tune")
head, choice = st.columns([3, 4], vertical_alignment="bottom")
head.title(t("nav.tune"), anchor=False)
with choice:
    view = pick_view()
if view == "plan":
    show_ahead(desk.service)
else:
    measure(desk)
