"""Figures on the page: a title, the chart in the session's theme, a sentence on how to read it."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from core.ui.charts import DARK, LIGHT, Palette
from core.ui.language import t


def palette() -> Palette:
    """The palette of the theme the viewer has chosen."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def show_figure(key: str, fig: go.Figure, *, live: bool = False) -> None:
    """One figure in its card; `key` names its title and note in the catalogue.

    live: the figure is drawn anew every few seconds, which would undo what a viewer hides by the legend.
    """
    if live:
        fig.update_layout(legend={"itemclick": False, "itemdoubleclick": False})
    with st.container(border=True, gap="xsmall", height="stretch"):
        st.subheader(t(f"{key}.title"), anchor=False)
        st.caption(t(f"{key}.note"))
        st.plotly_chart(
            fig, theme=None, key=key, config={"displayModeBar": False, "responsive": True}, alt=t(f"{key}.title")
        )
