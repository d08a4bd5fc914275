"""The rehearsal: every practice preset with what it imitates, its law and its knee, and a button that takes it."""

from __future__ import annotations

import streamlit as st

from core.practice import PRESETS
from core.ui.language import t
from core.ui.safe import label
from core.ui.texts import knows

SERVER = "tune_server"


def preset_name(preset: str) -> str:
    """The preset's name in the session's language; a new one keeps its own."""
    key = f"preset.{preset}.name"
    return t(key) if knows(key) else preset


def show_rehearsal() -> None:
    """A card for each preset."""
    with st.expander(t("rehearsal.title"), icon=":material/theater_comedy:", expanded=False):
        st.caption(t("rehearsal.note"))
        with st.grid(3, min_column_width=260, gap="small"):
            for preset in PRESETS:
                _card(preset)


def _card(preset: str) -> None:
    with st.container(border=True, gap="xsmall", height="stretch"):
        st.text(preset_name(preset))
        if not knows(f"preset.{preset}.name"):
            st.caption(label(PRESETS[preset].title, 300))
            return
        st.caption(t(f"preset.{preset}.imitates"))
        st.caption(t("rehearsal.law", law=t(f"preset.{preset}.law")))
        st.caption(t("rehearsal.knee", knee=t(f"preset.{preset}.knee")))
        st.button(
            t("rehearsal.take"),
            key=f"rehearse-{preset}",
            icon=":material/play_circle:",
            on_click=_take,
            args=(preset,),
        )


def _take(preset: str) -> None:
    """Choose the preset as the server of the next sweep of model calls."""
    st.session_state[SERVER] = f"preset:{preset}"
    st.session_state["tune_resource"] = "llm"
