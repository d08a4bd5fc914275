"""One item's results: the texts about the whole item, then one card for each part, then the evidence of a part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.base.errors import BrigadeError, UnknownError
from core.base.views import ItemView, ResultView, RunView
from core.base.workload import Workload
from core.ui.components.evidence import show_evidence
from core.ui.components.parts import part_titles
from core.ui.components.problem import show_empty, show_problem
from core.ui.components.stages import stage_titles
from core.ui.language import t
from core.ui.numbers import money
from core.ui.safe import label
from core.ui.texts import knows

if TYPE_CHECKING:
    from core.service import Service


def show_result(service: Service, run: RunView, item: ItemView) -> None:
    """Everything that was made of one item."""
    try:
        results = service.results(run.id, item.id)
    except BrigadeError as exc:
        show_problem("problem.results", exc)
        return
    _head(item, results)
    workload = _workload(service, run)
    titles = stage_titles(service, run.workload)
    wholes = [r for r in results if not r.part]
    for result in reversed(wholes):
        _text_card(result, titles.get(result.stage, result.stage), results)
    _parts(service, results, part_titles(workload, item), _searches(workload))
    if not results:
        show_empty("empty.results_pending", ":material/hourglass_empty:")


def _head(item: ItemView, results: Sequence[ResultView]) -> None:
    st.subheader(label(item.name, 120), anchor=False)
    costs = [r.cost_usd for r in results if r.cost_usd is not None]
    told = [
        item.id,
        t("result.reviews", n=item.reviews) if item.reviews else "",
        money(sum(costs[1:], costs[0])) if costs else "",
    ]
    st.text(" · ".join(x for x in told if x))
    if item.error:
        st.error(t("result.failed"), icon=":material/error:")
        st.text(item.error)


def _workload(service: Service, run: RunView) -> Workload | None:
    try:
        return service.workload(run.workload)
    except UnknownError:
        return None


def _searches(workload: Workload | None) -> set[str]:
    return {s.id for s in workload.stages if s.kind == "search"} if workload else {"search"}


def _parts(service: Service, results: Sequence[ResultView], titles: dict[str, str], searches: set[str]) -> None:
    """A card for each part, in a grid; below it the evidence of the part that is chosen."""
    told = [r for r in results if r.part and r.stage not in searches]
    if told:
        with st.grid(3, min_column_width=190, gap="small"):
            for result in told:
                _text_card(result, titles.get(result.part, result.part), results)
    found = {r.part: r for r in results if r.part and r.evidence and r.stage in searches}
    if found:
        show_evidence(service, found, titles)


def _text_card(result: ResultView, title: str, results: Sequence[ResultView]) -> None:
    with st.container(border=True, gap="xsmall", height="stretch"):
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="xsmall"
        ):
            st.subheader(label(title), anchor=False, width="content")
            _flags(result)
        if result.text:
            st.text(numbered(result, _evidence_of(result, results)))
        else:
            st.caption(
                t(f"result_status.{result.status}")
                if knows(f"result_status.{result.status}")
                else t("result_status.failed")
            )
        if result.error:
            st.text(result.error)
        st.caption(label(result.model or ""))


def _flags(result: ResultView) -> None:
    with st.container(horizontal=True, gap="xsmall", width="content"):
        for flag in result.flags:
            known = knows(f"flag.{flag}")
            st.badge(
                t(f"flag.{flag}") if known else label(flag),
                color="orange",
                help=t(f"flag_says.{flag}") if known else None,
            )


def _evidence_of(result: ResultView, results: Sequence[ResultView]) -> list[str]:
    """The review ids of a part's evidence in the order of their numbers."""
    found = result.evidence or next((r.evidence for r in results if r.part == result.part and r.evidence), ())
    return list(dict.fromkeys(e.review_id for e in found))


def numbered(result: ResultView, review_ids: Sequence[str]) -> str:
    """The text with `[1]` after each cited span; numbers are those of the evidence list below it."""
    text = result.text
    for citation in sorted(result.citations, key=lambda c: -c.end):
        marks = "".join(f"[{review_ids.index(i) + 1}]" for i in citation.review_ids if i in review_ids)
        if marks and 0 <= citation.end <= len(text):
            text = f"{text[: citation.end]} {marks}{text[citation.end :]}"
    return text
