"""Evidence in its review: the quoted sentences stand out, and nothing of the text is read as markup.

A review is shown in pieces: `st.text` for what surrounds a quotation, `st.code` (which takes any text as it is, on the
theme's highlight colour) for the quotation itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.base.records import Evidence, Review
from core.base.views import ResultView
from core.ui.language import t
from core.ui.safe import label, one_line

if TYPE_CHECKING:
    from core.service import Service

AROUND = 240  # characters shown before and after a quotation until the whole review is asked for
Piece = tuple[bool, str]  # is it quoted, the text


def show_evidence(
    service: Service, found: Mapping[str, ResultView], titles: Mapping[str, str], order: Mapping[str, int]
) -> None:
    """A tab for each part; in it every review that was quoted, best first."""
    st.subheader(t("evidence.title"), anchor=False, help=t("evidence.help"))
    part = st.segmented_control(
        t("evidence.part"),
        list(found),
        format_func=lambda p: f"{label(titles.get(p, p))} ({len(found[p].evidence)})",
        default=next(iter(found)),
        required=True,
        key="evidence_part",
        label_visibility="collapsed",
    )
    whole = st.toggle(t("evidence.whole"), key="whole_reviews")
    result = found.get(str(part)) or next(iter(found.values()))
    for review_id, quoted in _by_review(result.evidence).items():
        _show_review(order[review_id], quoted, service.review(result.item_id, review_id), whole=whole)


def _by_review(evidence: Sequence[Evidence]) -> dict[str, list[Evidence]]:
    reviews: dict[str, list[Evidence]] = {}
    for sentence in evidence:
        reviews.setdefault(sentence.review_id, []).append(sentence)
    return reviews


def _show_review(number: int, quoted: Sequence[Evidence], review: Review | None, *, whole: bool) -> None:
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, horizontal_alignment="distribute", gap="small"):
            st.text(_heading(number, quoted[0], review), wrap=False)
            st.caption(t("evidence.score", score=f"{max(e.score for e in quoted):.2f}"), width="content")
        for marked, text in pieces(review.text if review else "", [e.text for e in quoted], whole=whole):
            if marked:
                st.code(text, language=None, wrap_lines=True)
            else:
                st.text(text)


def _heading(number: int, first: Evidence, review: Review | None) -> str:
    rating = first.rating if first.rating is not None else review.rating if review else None
    stars = "★" * round(min(5.0, max(0.0, rating))) if rating is not None else ""
    author = first.author or (review.author if review else None)
    date = first.date or (review.date if review else None)
    return f"[{number}]  " + " · ".join(one_line(x, 40) for x in (stars, author, date) if x)


def pieces(text: str, quotations: Sequence[str], *, whole: bool) -> list[Piece]:
    """The review cut at its quotations; a quotation that is not in it word for word stands before it."""
    spans = sorted(_spans(text, quotations))
    lost = [(True, q) for q in quotations if text.find(q) < 0]
    cut: list[Piece] = []
    end = 0
    for start, stop in spans:
        if start >= end:
            cut += [(False, text[end:start]), (True, text[start:stop])]
            end = stop
    cut.append((False, text[end:]))
    shown = (
        cut
        if whole
        else [(m, p if m else _near(p, first=n == 0, last=n == len(cut) - 1)) for n, (m, p) in enumerate(cut)]
    )
    return lost + [(m, p.strip()) for m, p in shown if p.strip()]


def _spans(text: str, quotations: Sequence[str]) -> list[tuple[int, int]]:
    found = [(text.find(q), len(q)) for q in quotations if q]
    return [(at, at + size) for at, size in found if at >= 0]


def _near(text: str, *, first: bool, last: bool) -> str:
    """What stands next to a quotation, without the rest of a long review."""
    if len(text) <= AROUND:
        return text
    if first:
        return f"… {text[-AROUND:]}"
    if last:
        return f"{text[:AROUND]} …"
    return f"{text[: AROUND // 2]} … {text[-AROUND // 2 :]}"
