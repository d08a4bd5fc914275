"""The log of commands to a run: who asked for what, when, why, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.base.views import ControlView
from core.ui.components.columns import texts
from core.ui.language import t
from core.ui.numbers import moment
from core.ui.sentences import control_sentence, outcome_sentence


def show_commands(controls: Sequence[ControlView]) -> None:
    """Newest first; nothing where nobody asked for anything."""
    if not controls:
        return
    st.caption(t("commands.title"))
    st.dataframe(
        [_row(c) for c in sorted(controls, key=lambda c: -c.at)[:20]],
        hide_index=True,
        height="content" if len(controls) < 6 else 230,
        column_config=texts("at", "who", "command", "why", "outcome"),
        alt=t("commands.title"),
        key="commands",
    )


def _row(control: ControlView) -> dict[str, str]:
    return {
        "at": moment(control.at),
        "who": control.who,
        "command": control_sentence(control),
        "why": control.reason,
        "outcome": outcome_sentence(control),
    }
