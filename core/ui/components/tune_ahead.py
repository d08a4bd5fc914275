"""Looking ahead: four questions about runs to come, each answered when it is asked; nothing is sent for any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.base.workload import Workload
from core.ui.components.endpoints import show_note
from core.ui.components.picker import pick_workload
from core.ui.components.problem import show_empty
from core.ui.components.tune_errors import show_errors
from core.ui.components.tune_scale import show_scale
from core.ui.components.tune_what_if import show_what_if
from core.ui.components.tune_wish import show_wish
from core.ui.language import t

if TYPE_CHECKING:
    from core.service import Service

QUESTIONS: dict[str, Callable[[Service, Workload], None]] = {
    "what_if": show_what_if,
    "wish": show_wish,
    "scale": show_scale,
    "errors": show_errors,
}


VIEWS = ("measure", "plan")


def pick_view() -> str:
    """Whether servers are measured or runs to come are planned."""
    return _linked("view", VIEWS)


def _linked(name: str, choices: Sequence[str]) -> str:
    """A choice that stands in the URL under its own name, whatever the language; the first one where none is given."""
    asked = st.query_params.get(name)
    st.session_state.setdefault(name, asked if asked in choices else choices[0])
    chosen = st.segmented_control(
        t(f"ahead.pick_{name}"),
        choices,
        format_func=lambda choice: t(f"ahead.{choice}"),
        required=True,
        key=name,
        on_change=lambda: st.query_params.update({name: st.session_state[name]}),
        label_visibility="collapsed",
    )
    return str(chosen or choices[0])


def show_ahead(service: Service) -> None:
    """The question, and the panel that answers it for a workload."""
    question = _linked("ahead", list(QUESTIONS))
    workload = pick_workload(service)
    if workload is None:
        return
    if not service.items(workload.id, limit=1).total:
        show_empty("empty.items", ":material/storefront:")
        return
    st.caption(t("ahead.note"))
    show_note(service, [str(one.value) for one in service.allocations(workload.id) if one.key == "model" and one.value])
    QUESTIONS[question](service, workload)
