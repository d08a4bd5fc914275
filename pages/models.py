"""Models: which servers there are and how they do, and which model does which stage with what."""

import streamlit as st

from core.ui.components.allocating import show_allocation
from core.ui.components.serving import pick_endpoint, show_endpoint
from core.ui.components.serving_form import show_new_endpoint
from core.ui.frame import Desk, open_page
from core.ui.language import t


def serve(desk: Desk) -> None:
    """The endpoints, and beneath them the chosen one, or a form for a new one."""
    st.subheader(t("serving.title"), anchor=False, help=t("serving.help"))
    endpoint = pick_endpoint(desk.service)
    if endpoint is None:
        show_new_endpoint(desk)
    else:
        show_endpoint(desk, endpoint)


desk = open_page("models")
st.title(t("nav.models"), anchor=False)
serve(desk)
st.subheader(t("allocating.title"), anchor=False, help=t("allocating.help"))
show_allocation(desk)
