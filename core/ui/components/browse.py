"""The items of a run as a table: search, status, pages; the chosen one is bound to the URL (`?item=`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.base.errors import UnknownError
from core.base.records import ItemStatus
from core.base.views import ItemPage, ItemView, RunView
from core.ui.language import t
from core.ui.numbers import count, seconds

if TYPE_CHECKING:
    from core.service import Service

PAGE = 15


def browse_items(service: Service, run: RunView) -> ItemView | None:
    """The table; returns the item to show: the chosen row, else the URL's, else the first."""
    search = st.text_input(
        t("pick.search"), key=f"find-{run.id}", icon=":material/search:", type="search",
        placeholder=t("browse.search_like"), label_visibility="collapsed",
    )  # fmt: skip
    status = st.selectbox(
        t("browse.status"), list(ItemStatus), index=None, format_func=lambda s: f"{t(f'item.{s}')} ({_counted(run, s)})",
        key=f"status-{run.id}", placeholder=t("browse.any"), label_visibility="collapsed",
    )  # fmt: skip
    page = _page(service, run, search or "", status)
    row = _table(run, page)
    return row or _linked(service, run, page)


def _counted(run: RunView, status: ItemStatus) -> str:
    return count(getattr(run, status.value))


def _page(service: Service, run: RunView, search: str, status: ItemStatus | None) -> ItemPage:
    key = f"browse-{run.id}"
    number = int(st.session_state.get(key, 1))
    page = service.run_items(run.id, search=search, status=status, limit=PAGE, offset=(number - 1) * PAGE)
    if page.rows or number == 1:
        return page
    st.session_state[key] = 1
    return service.run_items(run.id, search=search, status=status, limit=PAGE)


def _table(run: RunView, page: ItemPage) -> ItemView | None:
    if not page.rows:
        st.caption(t("pick.none_found"))
        return None
    ids = tuple(r.id for r in page.rows)
    chosen = st.dataframe(
        [_row(r) for r in page.rows],
        hide_index=True,
        height="content",
        on_select="rerun",
        selection_mode="single-row",
        key=f"results-{run.id}-{hash(ids)}",
        column_config=_columns(),
        alt=t("browse.table"),
    )
    _turn(run, page)
    rows = chosen["selection"]["rows"]
    if not rows:
        return None
    st.query_params["item"] = page.rows[rows[0]].id
    return page.rows[rows[0]]


def _turn(run: RunView, page: ItemPage) -> None:
    pages = -(-page.total // PAGE)
    st.caption(t("pick.found", n=count(page.total)))
    if pages > 1:
        st.pagination(pages, key=f"browse-{run.id}", max_visible_pages=5)


def _linked(service: Service, run: RunView, page: ItemPage) -> ItemView | None:
    wanted = st.query_params.get("item")
    if wanted:
        try:
            rows = service.run_items(run.id, search=wanted, limit=20).rows
        except UnknownError:
            rows = ()
        found = next((r for r in rows if r.id == wanted), None)
        if found is not None:
            return found
    return page.rows[0] if page.rows else None


def _row(item: ItemView) -> dict[str, str]:
    status = t(f"item.{item.status}") if item.status else ""
    return {"name": item.name, "status": status, "finished": seconds(item.finished_s)}


def _columns() -> dict[str, object]:
    config = st.column_config
    return {
        "name": config.TextColumn(t("column.name"), width="medium"),
        "status": config.TextColumn(t("column.status"), width="small"),
        "finished": config.TextColumn(t("column.since"), width="small", alignment="right"),
    }
