"""Why things failed: the last failed requests of a run, and the first items that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.base.records import ItemStatus
from core.base.views import AttemptView, RunView
from core.ui.components.columns import texts
from core.ui.components.stages import stage_titles
from core.ui.language import t
from core.ui.numbers import DASH, count, seconds

if TYPE_CHECKING:
    from core.service import Service

FIRST = 10  # failed items that are listed; Results has them all


def show_errors(service: Service, run: RunView) -> None:
    """Failed items, then failed requests: an item can fail without any request. Nothing where nothing failed."""
    if run.failed:
        _items(service, run)
        _requests(service, run)


def _items(service: Service, run: RunView) -> None:
    failed = service.run_items(run.id, status=ItemStatus.FAILED, limit=FIRST)
    if not failed.rows:
        return
    st.caption(t("errors.items", shown=count(len(failed.rows)), all=count(failed.total)))
    st.dataframe(
        [{"name": i.name, "id": i.id, "error": i.error or DASH} for i in failed.rows],
        hide_index=True,
        height="content" if len(failed.rows) < 6 else 230,
        column_config=texts("name", width=150) | texts("id", width=110) | texts("error"),
        alt=t("errors.items_table"),
        key="failed_items",
    )


def _requests(service: Service, run: RunView) -> None:
    failed = service.errors(run.id, 20)
    if not failed:
        return
    titles = stage_titles(service, run.workload)
    st.caption(t("errors.title"))
    st.dataframe(
        [_row(a, titles) for a in failed],
        hide_index=True,
        height="content" if len(failed) < 6 else 230,
        column_config=texts("item", "stage", "error", "model", "tries", "since"),
        alt=t("errors.title"),
        key="errors",
    )


def _row(attempt: AttemptView, titles: dict[str, str]) -> dict[str, str]:
    return {
        "item": attempt.item_id,
        "stage": titles.get(attempt.stage, attempt.stage),
        "error": attempt.error or attempt.state,
        "model": attempt.model,
        "tries": str(attempt.number),
        "since": seconds(attempt.t),
    }
