"""Results: an item, its total, its parts, and the evidence in the reviews."""

import streamlit as st

from core.base.views import RunView
from core.ui.components.again import show_again, show_parent
from core.ui.components.browse import browse_items
from core.ui.components.exports import show_exports
from core.ui.components.problem import show_empty
from core.ui.components.refresh import follow
from core.ui.components.result import show_result
from core.ui.components.runs import pick_run
from core.ui.frame import Desk, open_page
from core.ui.language import t


def draw(desk: Desk, run: RunView) -> None:
    """The items on the left, the chosen one on the right; finished ones appear as they come."""
    table, result = st.columns([4, 7], gap="medium")
    with table:
        item = browse_items(desk.service, run)
        show_exports(desk.service, run)
    with result:
        with st.container(horizontal=True, horizontal_alignment="right"):
            show_parent(run)
            if item is not None:
                show_again(desk, run, item)
        if item is None:
            show_empty("empty.items_found", ":material/search_off:")
        else:
            show_result(desk.service, run, item)


desk = open_page("results")
head, picker = st.columns([3, 4], vertical_alignment="bottom")
head.title(t("nav.results"), anchor=False)
with picker:
    run = pick_run(desk.service)
if run is None:
    show_empty("empty.runs", ":material/restaurant_menu:", go="pages/run.py")
    st.stop()
follow(desk, run, draw)
