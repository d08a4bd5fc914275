"""A word about something done that needs the page drawn anew: kept over the rerun, said once."""

from __future__ import annotations

import streamlit as st

from core.ui.language import t
from core.ui.safe import label


def announce(key: str, name: str = "") -> None:
    """Draw the page anew and say it there; the name in it may be anybody's words."""
    st.session_state["announced"] = key, name
    st.rerun()


def show_announced() -> None:
    """Say what was kept, once."""
    told = st.session_state.pop("announced", None)
    if told:
        st.toast(t(told[0], name=label(told[1])), icon=":material/check:")
