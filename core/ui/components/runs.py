"""Which run is in view: the URL's (`?run=`), else the session's, else the newest where a page wants one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.base.errors import UnknownError
from core.base.views import RunView
from core.ui.components.columns import bar, numbers, texts
from core.ui.components.problem import show_problem
from core.ui.language import t, titled
from core.ui.numbers import count, moment, money, seconds
from core.ui.sentences import LIVE, status_name

if TYPE_CHECKING:
    from core.service import Service

PICKER = "run_picker"


def view_run(run_id: str | None) -> None:
    """Put a run (or none) into the URL and the session; for callbacks."""
    st.session_state["run_id"] = run_id
    st.session_state["composing"] = run_id is None
    if run_id is None:
        st.query_params.pop("run", None)
    else:
        st.query_params["run"] = run_id


def run_in_view(service: Service, runs: list[RunView], *, newest: bool) -> RunView | None:
    """The run to show. `newest`: without a choice take the newest; else only one that is in progress."""
    wanted = st.query_params.get("run") or st.session_state.get("run_id")
    if wanted:
        try:
            run = service.run(wanted)
        except UnknownError as exc:
            show_problem("problem.run", exc)
        else:
            _remember(run.id)
            return run
    return None if st.session_state.get("composing") and not newest else _otherwise(runs, newest)


def _otherwise(runs: list[RunView], newest: bool) -> RunView | None:
    found = next((r for r in runs if newest or r.status in LIVE), None)
    if found is not None:
        _remember(found.id)
    return found


def _remember(run_id: str) -> None:
    st.session_state["run_id"] = run_id
    if st.query_params.get("run") != run_id:
        st.query_params["run"] = run_id


def pick_run(service: Service, *, newest: bool = True) -> RunView | None:
    """The run in view, with a picker of the last fifty; None where there is none to show."""
    runs = service.runs(limit=50)
    run = run_in_view(service, runs, newest=newest)
    if run is None:
        return None
    known = {r.id: r for r in runs} | {run.id: run}
    st.session_state[PICKER] = run.id
    st.selectbox(
        t("runs.label"),
        list(known),
        format_func=lambda i: _line(service, known[i]),
        key=PICKER,
        on_change=_picked,
        args=(tuple(known),),
        label_visibility="collapsed",
        icon=":material/history:",
    )
    return run


def _picked(known: tuple[str, ...]) -> None:
    chosen = st.session_state[PICKER]
    if chosen in known:
        view_run(chosen)


def _line(service: Service, run: RunView) -> str:
    """Labels tell runs apart and stand still: Streamlit finds the chosen option by its label."""
    return f"{moment(run.created_at)} · {workload_title(service, run.workload)} · {status_name(run)} · {run.id}"


def workload_title(service: Service, workload_id: str) -> str:
    """The workload's title in the session's language; its id when the file is gone."""
    try:
        workload = service.workload(workload_id)
    except UnknownError:
        return workload_id
    return titled(workload.title, workload.title_ko, workload.id)


def show_recent(service: Service) -> None:
    """The last runs as a table; choosing a row opens that run."""
    runs = service.runs(limit=10)
    if not runs:
        return
    st.subheader(t("runs.recent"), anchor=False)
    chosen = st.dataframe(
        [_row(service, r) for r in runs],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="recent_runs",
        column_config=texts("at", "workload", "status", "done", "wall", "cost", "run")
        | bar("progress", 100, "%d%%")
        | numbers("failed"),
        alt=t("runs.recent"),
    )
    rows = chosen["selection"]["rows"]
    if rows and rows[0] < len(runs):
        view_run(runs[rows[0]].id)
        st.rerun()


def _row(service: Service, run: RunView) -> dict[str, object]:
    return {
        "at": moment(run.created_at),
        "workload": workload_title(service, run.workload),
        "status": status_name(run),
        "progress": 100 * (run.selected - run.pending) // (run.selected or 1),
        "done": f"{count(run.done)} / {count(run.selected)}",
        "failed": run.failed,
        "wall": seconds(run.wall_s),
        "cost": money(run.cost_usd),
        "run": run.id,
    }
