"""One item's results: the texts about the whole item, then one card for each part, then the evidence of a part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

SAVED = ("cached", "reused")  # flags that say nothing against a text


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
    parts = part_titles(workload, item)
    results = _ordered(results, list(titles), list(parts))
    order = review_numbers(results)
    for result in reversed([r for r in results if not r.part]):
        _text_card(result, titles.get(result.stage, result.stage), order)
    _parts(results, parts, _searches(workload), order)
    _evidence(service, results, parts, order)
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


def _ordered(results: Sequence[ResultView], stages: list[str], parts: list[str]) -> list[ResultView]:
    """The results in the workload's order of stages and parts, not in the order in which they came."""

    def place(names: list[str], name: str) -> int:
        return names.index(name) if name in names else len(names)

    return sorted(results, key=lambda r: (place(stages, r.stage), place(parts, r.part)))


def review_numbers(results: Sequence[ResultView]) -> dict[str, int]:
    """One number for each review of the item, so that `[3]` is the same review in every text and in the evidence."""
    parts_first = sorted(results, key=lambda r: not r.part)
    ids = dict.fromkeys(e.review_id for r in parts_first for e in r.evidence)
    return {review_id: number for number, review_id in enumerate(ids, 1)}


def _parts(results: Sequence[ResultView], titles: dict[str, str], searches: set[str], order: Mapping[str, int]) -> None:
    """A card for each part, in a grid."""
    told = [r for r in results if r.part and r.stage not in searches]
    if told:
        with st.grid(3, min_column_width=190, gap="small"):
            for result in told:
                _text_card(result, titles.get(result.part, result.part), order)


def _evidence(
    service: Service, results: Sequence[ResultView], titles: dict[str, str], order: Mapping[str, int]
) -> None:
    """The evidence of the part that is chosen: what its search found, else what its texts rest on."""
    found: dict[str, ResultView] = {}
    for result in results:
        if result.part and result.evidence:
            found.setdefault(result.part, result)
    if found:
        show_evidence(service, found, titles, order)


def _text_card(result: ResultView, title: str, order: Mapping[str, int]) -> None:
    """One text with its title and flags; in the grid of parts, cards of a row are of one height."""
    with st.container(border=True, gap="xsmall", height="stretch" if result.part else "content"):
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="xsmall"
        ):
            st.subheader(label(title), anchor=False, width="content")
            _flags(result)
        if result.text:
            st.text(numbered(result, order))
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
                color="gray" if flag in SAVED else "orange",
                icon=":material/rate_review:" if flag == "fallback" else None,
                help=t(f"flag_says.{flag}") if known else None,
            )


def numbered(result: ResultView, order: Mapping[str, int]) -> str:
    """The text with `[1]` after each cited span; numbers are those of the evidence below it."""
    text = result.text
    for citation in sorted(result.citations, key=lambda c: -c.end):
        marks = "".join(f"[{order[i]}]" for i in citation.review_ids if i in order)
        if marks and 0 <= citation.end <= len(text):
            text = f"{text[: citation.end]} {marks}{text[citation.end :]}"
    return text
