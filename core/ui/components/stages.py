"""The table of stages: calls, failures and latency per stage and model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.base.errors import UnknownError
from core.base.views import StageStats
from core.ui.components.columns import Columns, numbers, texts
from core.ui.language import t, titled
from core.ui.numbers import seconds

if TYPE_CHECKING:
    from core.service import Service

COUNTS = {"calls": 52, "failed": 56, "rate_limited": 44, "retries": 62}  # widths in pixels
TIMES = {"p50": 60, "p95": 60, "p99": 60, "queue": 82}


def stage_titles(service: Service, workload_id: str) -> dict[str, str]:
    """Stage id -> title in the session's language, in the workload's order; empty when the file is gone."""
    try:
        workload = service.workload(workload_id)
    except UnknownError:
        return {}
    return {s.id: titled(s.title, s.title_ko, s.id) for s in workload.stages}


def resources(service: Service, workload_id: str) -> set[str]:
    """The gates a workload goes through; both when its file is gone."""
    try:
        return {s.kind for s in service.workload(workload_id).stages}
    except UnknownError:
        return {"search", "llm"}


def show_stages(service: Service, workload_id: str, stages: Sequence[StageStats]) -> None:
    """One row for each stage and model; nothing before the first call."""
    if not stages:
        return
    titles = stage_titles(service, workload_id)
    st.dataframe(
        [_row(s, titles) for s in stages],
        hide_index=True,
        column_config=_columns(),
        alt=t("stages.title"),
        key="stages",
    )


def _columns() -> Columns:
    columns = texts("stage", width=112) | texts("model", width=102)
    for name, width in COUNTS.items():
        columns |= numbers(name, width=width)
    for name, width in TIMES.items():
        columns |= texts(name, right=True, width=width)
    return columns


def _row(stats: StageStats, titles: dict[str, str]) -> dict[str, object]:
    return {
        "stage": titles.get(stats.stage, stats.stage),
        "model": stats.model,
        "calls": stats.calls,
        "failed": stats.failed,
        "rate_limited": stats.rate_limited,
        "retries": stats.retries,
        "p50": seconds(stats.p50_s),
        "p95": seconds(stats.p95_s),
        "p99": seconds(stats.p99_s),
        "queue": seconds(stats.queue_p95_s),
    }
