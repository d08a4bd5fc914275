"""The items of a run as a table: search, status, flag, pages; the chosen one is bound to the URL (`?item=`)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from core.base.records import ItemStatus
from core.base.views import ItemPage, ItemView, RunView
from core.ui.components.columns import texts
from core.ui.language import t
from core.ui.numbers import count

if TYPE_CHECKING:
    from core.service import Service

PAGE = 15
FLAGS = ("fallback", "truncated")


def browse_items(service: Service, run: RunView) -> ItemView | None:
    """The table; returns the item to show. A link to an item that is not on the first page searches for it."""
    _follow_link(service, run)
    search = st.text_input(
        t("pick.search"),
        key=f"find-{run.id}",
        icon=":material/search:",
        type="search",
        placeholder=t("browse.search_like"),
        label_visibility="collapsed",
    )
    status = st.selectbox(
        t("browse.status"),
        list(ItemStatus),
        index=None,
        format_func=lambda s: t(f"item.{s}"),
        key=f"status-{run.id}",
        placeholder=t("browse.any"),
        label_visibility="collapsed",
    )
    page = _page(service, run, search or "", status, _flag(run))
    return _table(run, page)


def _flag(run: RunView) -> str | None:
    """Only items with a text that somebody should read."""
    return st.selectbox(
        t("browse.flag"),
        FLAGS,
        index=None,
        format_func=lambda flag: t(f"browse_flag.{flag}"),
        key=f"flag-{run.id}",
        placeholder=t("browse.any_flag"),
        label_visibility="collapsed",
    )


def _follow_link(service: Service, run: RunView) -> None:
    key, linked = f"find-{run.id}", st.query_params.get("item")
    if key in st.session_state or not linked:
        return
    first = service.run_items(run.id, limit=PAGE).rows
    st.session_state[key] = "" if any(r.id == linked for r in first) else linked


def _page(service: Service, run: RunView, search: str, status: ItemStatus | None, flag: str | None) -> ItemPage:
    key = f"browse-{run.id}"
    number = int(st.session_state.get(key, 1))
    find = partial(service.run_items, run.id, search=search, status=status, flag=flag, limit=PAGE)
    page = find(offset=(number - 1) * PAGE)
    if page.rows or number == 1:
        return page
    st.session_state[key] = 1
    return find()


def _table(run: RunView, page: ItemPage) -> ItemView | None:
    if not page.rows:
        st.caption(t("pick.none_found"))
        return None
    ids = tuple(r.id for r in page.rows)
    linked = st.query_params.get("item")
    chosen = st.dataframe(
        [_row(r) for r in page.rows],
        hide_index=True,
        height="content",
        on_select="rerun",
        selection_mode="single-cell",
        selection_default={"selection": {"cells": [(ids.index(linked) if linked in ids else 0, "name")]}},
        key=f"results-{run.id}-{hash(ids)}",
        column_config=texts("name", "status"),
        alt=t("browse.table"),
    )
    _turn(run, page)
    rows = [row for row, _ in chosen["selection"]["cells"] if row < len(ids)]
    item = page.rows[rows[0] if rows else 0]
    if linked != item.id:
        st.query_params["item"] = item.id
    return item


def _turn(run: RunView, page: ItemPage) -> None:
    pages = -(-page.total // PAGE)
    st.caption(t("pick.found", n=count(page.total)))
    if pages > 1:
        st.pagination(pages, key=f"browse-{run.id}", max_visible_pages=5)


def _row(item: ItemView) -> dict[str, str]:
    status = t(f"item.{item.status}") if item.status else ""
    return {"name": item.name, "status": status}
