"""What went wrong and what to do; what is empty and how to fill it."""

from __future__ import annotations

import streamlit as st

from core.base.errors import BrigadeError
from core.ui.language import t


def show_problem(key: str, exc: BrigadeError) -> None:
    """Our sentence, then the error's own words, which already name the way out and are never read as markup."""
    with st.container(border=True, gap="xsmall"):
        st.error(t(key), icon=":material/error:")
        st.text(str(exc))


def show_empty(key: str, icon: str = ":material/inbox:", *, go: str | None = None) -> None:
    """An empty state: what would stand here and what to do to get it; `go` is the page that gets it."""
    with st.container(border=True, horizontal_alignment="center", gap="xsmall"):
        st.space("small")
        st.subheader(t(f"{key}.title"), icon=icon, anchor=False, width="content")
        st.caption(t(f"{key}.body"), text_alignment="center", width="content")
        if go and st.button(t("empty.go"), key="empty_go", icon=":material/arrow_forward:"):
            st.switch_page(go)
        st.space("small")


def later(key: str, exc: BrigadeError) -> None:
    """Keep a problem met in a callback, for the frame to show above the page."""
    st.session_state["problem"] = (key, str(exc))


def show_kept_problem() -> None:
    """Show what a callback kept, once."""
    kept = st.session_state.pop("problem", None)
    if kept:
        show_problem(kept[0], BrigadeError(kept[1]))
