"""The last failed requests of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.base.views import AttemptView, RunView
from core.ui.components.columns import texts
from core.ui.components.stages import stage_titles
from core.ui.language import t
from core.ui.numbers import seconds

if TYPE_CHECKING:
    from core.service import Service


def show_errors(service: Service, run: RunView) -> None:
    """A table of failed requests; nothing where none failed."""
    if not run.failed:
        return
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
