"""The language of this session: chosen in the sidebar, kept in the URL (`?lang=ko`), else the browser's."""

from __future__ import annotations

import streamlit as st

from core.ui.texts import LANGUAGES, pick, translate


def current_language() -> str:
    """The session's language code."""
    chosen = st.session_state.get("lang")
    return str(chosen) if chosen in LANGUAGES else pick(st.context.locale)


def t(key: str, /, **params: object) -> str:
    """What the screen says for a key, in the session's language."""
    return translate(current_language(), key, **params)


def titled(title: str, title_ko: str, otherwise: str = "") -> str:
    """The title in the session's language, where a workload file gives both."""
    return (title_ko if current_language() == "ko" else "") or title or otherwise


def read_language() -> None:
    """Take the language from the URL, and put a language that was chosen back into it (page links drop it)."""
    asked = st.query_params.get("lang")
    if asked in LANGUAGES:
        st.session_state["lang"] = asked
    elif "lang" in st.session_state:
        st.query_params["lang"] = current_language()


def choose_language() -> None:
    """The switch in the sidebar."""
    st.session_state["lang_switch"] = current_language()
    st.segmented_control(
        t("frame.language"),
        list(LANGUAGES),
        format_func=LANGUAGES.__getitem__,
        required=True,
        key="lang_switch",
        on_change=_switch,
        label_visibility="collapsed",
        width="stretch",
    )


def _switch() -> None:
    st.session_state["lang"] = st.query_params["lang"] = st.session_state["lang_switch"]
