"""The live part of a run: progress, rates, gates, stages, commands; redrawn every second from one frozen snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.base.errors import BrigadeError
from core.base.records import RunStatus
from core.base.views import GateSample, RunSnapshot
from core.pipeline.sizing import AUTO
from core.ui.components.commands import show_commands
from core.ui.components.endpoints import simulated
from core.ui.components.errors import show_errors
from core.ui.components.lanes import show_lanes
from core.ui.components.limits import limit_mode
from core.ui.components.problem import show_problem
from core.ui.components.stages import resources, show_stages
from core.ui.language import t
from core.ui.numbers import DASH, count, money, rate, seconds, share
from core.ui.sentences import LIVE, bottleneck_sentence, progress_sentence, resource_name

if TYPE_CHECKING:
    from core.service import Service

TRAIL = 90  # points of a sparkline


def show_run(service: Service, run_id: str, status: RunStatus) -> None:
    """The run's numbers: on a timer while it is in progress, once otherwise."""
    if status in LIVE or status == RunStatus.PAUSED:
        _ticking(service, run_id, status)
    else:
        _draw(service, run_id)


@st.fragment(run_every=1.0)
def _ticking(service: Service, run_id: str, status: RunStatus) -> None:
    """One tick; a change of status redraws the whole page, whose buttons depend on it."""
    snapshot = _draw(service, run_id)
    if snapshot is not None and snapshot.run.status != status:
        st.rerun(scope="app")


def _draw(service: Service, run_id: str) -> RunSnapshot | None:
    try:
        snapshot = service.snapshot(run_id)
    except BrigadeError as exc:
        show_problem("problem.snapshot", exc)
        return None
    _progress(snapshot)
    _rates(snapshot, simulated=simulated(service, snapshot.run, snapshot.stages))
    _gates(snapshot, resources(service, snapshot.run.workload))
    show_stages(service, snapshot.run.workload, snapshot.stages)
    if snapshot.run.status in LIVE:
        show_lanes(service, snapshot.run.id)
    show_errors(service, snapshot.run)
    show_commands(snapshot.controls)
    return snapshot


def _progress(snapshot: RunSnapshot) -> None:
    run = snapshot.run
    done = (run.selected - run.pending) / (run.selected or 1)
    st.progress(min(1.0, max(0.0, done)), text=progress_sentence(snapshot))


def _rates(snapshot: RunSnapshot, *, simulated: bool) -> None:
    run = snapshot.run
    trail = _trail(snapshot)
    with st.grid(3, min_column_width=150, gap="small", border=True):
        for name, value in _now(snapshot).items():
            st.metric(t(f"kpi.{name}"), rate(value), chart_data=trail[name], chart_type="area", delta_color="blue")
        st.metric(t("kpi.done"), count(run.done), help=_unfinished(snapshot))
        st.metric(
            t("kpi.cost_simulated" if simulated and run.cost_usd is not None else "kpi.cost"),
            money(run.cost_usd),
            help=t("kpi.cost_help", n=run.unpriced_calls) if run.unpriced_calls else None,
        )
        st.metric(t("kpi.wall"), seconds(run.wall_s))


def _unfinished(snapshot: RunSnapshot) -> str | None:
    run = snapshot.run
    odd = run.failed + run.refused + run.no_reviews
    if not odd:
        return None
    return t("kpi.odd", failed=count(run.failed), refused=count(run.refused), none=count(run.no_reviews))


def _now(snapshot: RunSnapshot) -> dict[str, float]:
    """The rates that have a sparkline: those of the last seconds while it runs, those of the whole run afterwards."""
    if snapshot.run.status in LIVE:
        calls = snapshot.calls_per_s.get("llm", 0.0)
        return {"items_s": snapshot.items_per_s, "calls_s": calls, "tokens_s": snapshot.tokens_per_s}
    wall = snapshot.run.wall_s or 1.0
    llm = [s for s in snapshot.stages if s.resource == "llm"]
    sums = (snapshot.run.done, sum(s.calls for s in llm), sum(s.output_tokens for s in llm))
    return dict(zip(("items_s", "calls_s", "tokens_s"), (n / wall for n in sums), strict=True))


def _trail(snapshot: RunSnapshot) -> dict[str, list[float] | None]:
    """The last rates of this run in this session, for the sparklines; None until there are two."""
    kept: list[dict[str, float]] = st.session_state.setdefault(f"trail-{snapshot.run.id}", [])
    now = _now(snapshot)
    if snapshot.run.status in LIVE:
        kept.append(now)
        del kept[:-TRAIL]
    return {name: [k[name] for k in kept] if len(kept) > 1 else None for name in now}


def _gates(snapshot: RunSnapshot, used: set[str]) -> None:
    with st.container(border=True, gap="small"):
        gates = sorted(used & set(snapshot.gates), reverse=True)  # search before model calls, as they happen
        if snapshot.run.status in LIVE and gates:
            with st.grid(len(gates), min_column_width=220):
                for resource in gates:
                    _gate(resource, snapshot.gates[resource])
        full = snapshot.bottleneck
        automatic = full is not None and limit_mode(snapshot.run, full[0]) == AUTO
        st.caption(bottleneck_sentence(full, automatic=automatic))


def _gate(resource: str, gate: GateSample) -> None:
    told = t("gate.in_flight", name=resource_name(resource), used=gate.in_flight, limit=gate.limit or DASH)
    with st.container(gap="xsmall"):
        st.progress(min(1.0, gate.in_flight / (gate.limit or 1)), text=told)
        st.caption(t("gate.queue", waiting=count(gate.waiting), share=share(gate.full_share)))
