"""Which model, how many tokens and which temperature each stage uses, who says so, and a form that changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from core.base.allocation_keys import as_text
from core.base.errors import BrigadeError
from core.base.views import AllocationView
from core.ui.components.announce import announce
from core.ui.components.columns import texts
from core.ui.components.picker import pick_workload
from core.ui.components.problem import show_problem
from core.ui.components.stages import stage_titles
from core.ui.language import t
from core.ui.numbers import DASH
from core.ui.sentences import said_by

if TYPE_CHECKING:
    from core.ui.frame import Desk

DATABASE = "database"


def show_allocation(desk: Desk) -> None:
    """The table of a workload's values with their sources, and the form of one stage."""
    workload = pick_workload(desk.service)
    if workload is None:
        return
    table, panel = st.columns([7, 4], gap="medium")
    try:
        views = desk.service.allocations(workload.id)
    except BrigadeError as exc:
        show_problem("problem.allocation", exc)
        return
    titles = {"": t("allocating.whole"), **stage_titles(desk.service, workload.id)}
    with table:
        _table(views, titles)
    with panel:
        _form(desk, workload.id, views, titles)


def _table(views: tuple[AllocationView, ...], titles: dict[str, str]) -> None:
    st.dataframe(
        [_row(v, titles) for v in views],
        hide_index=True,
        column_config=texts("stage", "setting", "source", "overridden") | texts("value", width=120),
        alt=t("allocating.title"),
        key="allocations",
    )
    st.caption(t("allocating.order"))


def _row(view: AllocationView, titles: dict[str, str]) -> dict[str, object]:
    return {
        "stage": titles.get(view.stage, view.stage),
        "setting": t(f"allocating.{view.key}"),
        "value": as_text(view.value) or DASH,
        "source": said_by(view.source),
        "overridden": "; ".join(f"{as_text(value) or DASH} ({said_by(source)})" for value, source in view.overridden),
    }


def _form(desk: Desk, workload: str, views: tuple[AllocationView, ...], titles: dict[str, str]) -> None:
    stages = list(dict.fromkeys(v.stage for v in views))
    with st.container(border=True):
        stage = st.selectbox(
            t("column.stage"),
            stages,
            index=min(1, len(stages) - 1),
            format_func=lambda s: titles.get(s, s),
            key=f"allocate-{workload}",
        )
        mine = [v for v in views if v.stage == stage]
        with st.form(f"allocation-{workload}-{stage}", border=False):
            wanted = {v.key: _field(desk, v) for v in mine}
            apply = st.form_submit_button(
                t("allocating.apply"), type="primary", width="stretch", disabled=not desk.person.operates
            )
        if apply:
            _write(desk, workload, mine, wanted)


def _field(desk: Desk, view: AllocationView) -> str:
    """A field that holds what the database says; empty leaves the value to the weaker layers."""
    kept = as_text(view.value) if view.source == DATABASE else ""
    weaker = view.overridden[0][0] if view.source == DATABASE and view.overridden else view.value
    key = f"{view.workload}-{view.stage}-{view.key}-{kept}"
    title = t(f"allocating.{view.key}")
    otherwise = t("allocating.otherwise", value=as_text(weaker) or DASH)
    if view.key == "model":
        models = list(dict.fromkeys([m for m, _ in desk.service.models() if m] + ([kept] if kept else [])))
        index = models.index(kept) if kept else None
        return st.selectbox(title, models, index=index, key=key, placeholder=otherwise, accept_new_options=True) or ""
    return st.text_input(title, value=kept, key=key, placeholder=otherwise, help=t(f"allocating.{view.key}_help")) or ""


def _write(desk: Desk, workload: str, views: list[AllocationView], wanted: dict[str, str]) -> None:
    """Send only what differs; the first value that is refused ends it with its reason."""
    if not desk.person.operates:
        return
    changes: dict[str, Any] = {}
    for view in views:
        kept = as_text(view.value) if view.source == DATABASE else ""
        if (new := wanted[view.key].strip()) != kept:
            changes[view.key] = new or None
    try:
        for key, value in changes.items():
            desk.service.set_allocation(workload, views[0].stage, key, value, who=desk.person.name)
    except BrigadeError as exc:
        show_problem("problem.allocation", exc)
        return
    announce("allocating.done" if changes else "steer.nothing")
