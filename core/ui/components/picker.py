"""Choosing what a run works on: everything, the first so many, what a search finds, or rows picked in the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.base.views import ItemPage, ItemView
from core.base.workload import Workload
from core.ui.components.problem import show_empty
from core.ui.language import t, titled
from core.ui.numbers import count

if TYPE_CHECKING:
    from core.service import Service

PAGE = 12  # rows of the table
FILTERS = 3  # fields offered as filters
CHOICES = 40  # most values of such a field
SCOPES = ("all", "first", "found", "picked")
Items = str | Sequence[str]


def pick_workload(service: Service) -> Workload | None:
    """The workload to run; broken workload files are named below."""
    found = {w.id: w for w in service.workloads()}
    for problem in service.workload_problems():
        with st.container(border=True, gap="xsmall"):
            st.warning(t("pick.broken_workload"), icon=":material/warning:")
            st.text(problem)
    if not found:
        show_empty("empty.workloads")
        return None
    chosen = st.selectbox(
        t("pick.workload"), list(found), format_func=lambda i: titled(found[i].title, found[i].title_ko, i), key="workload"
    )
    st.text(titled(found[chosen].description, found[chosen].description_ko))
    return found[chosen]


def pick_items(service: Service, workload: Workload) -> tuple[Items, int] | None:
    """What `service.start` takes for items, and how many they are; None where nothing is chosen yet."""
    everything = service.items(workload.id, limit=1).total
    if not everything:
        show_empty("empty.items", ":material/storefront:")
        return None
    search, filters = _search(service, workload)
    scope = st.segmented_control(
        t("pick.scope"), SCOPES, format_func=lambda s: t(f"scope.{s}"), default="all", required=True,
        key="scope", label_visibility="collapsed",
    )  # fmt: skip
    page = _page(service, workload, search, filters)
    picked = _table(workload, page, selectable=scope == "picked")
    return _chosen(service, workload, str(scope), everything, page, (search, filters), picked)


def _search(service: Service, workload: Workload) -> tuple[str, dict[str, str]]:
    """The search box and one select box for each field that has few values."""
    fields = _fields(service, workload)
    with st.grid(1 + len(fields), min_column_width=150):
        search = st.text_input(
            t("pick.search"), key=f"search-{workload.id}", icon=":material/search:", type="search",
            placeholder=t("pick.search_like"), label_visibility="collapsed",
        )  # fmt: skip
        chosen = {f: _filter(workload, f, values) for f, values in fields.items()}
    return search or "", {f: v for f, v in chosen.items() if v}


def _fields(service: Service, workload: Workload) -> dict[str, dict[str, int]]:
    """Fields whose values are few enough to choose from."""
    first = service.items(workload.id, limit=1).rows[0]
    names = [n for n, v in first.fields.items() if isinstance(v, str)]
    facets = {n: service.facets(workload.id, n) for n in names[:8]}
    return dict([(n, f) for n, f in facets.items() if 1 < len(f) <= CHOICES][:FILTERS])


def _filter(workload: Workload, field: str, values: dict[str, int]) -> str | None:
    return st.selectbox(
        t("pick.filter"), sorted(values), index=None, format_func=lambda v: f"{v} ({values[v]:,})",
        key=f"filter-{workload.id}-{field}", placeholder=field.replace("_", " ").capitalize(), label_visibility="collapsed",
    )  # fmt: skip


def _page(service: Service, workload: Workload, search: str, filters: dict[str, str]) -> ItemPage:
    number = int(st.session_state.get(f"page-{workload.id}", 1))
    page = service.items(workload.id, search=search, filters=filters, limit=PAGE, offset=(number - 1) * PAGE)
    if page.rows or number == 1:
        return page
    st.session_state[f"page-{workload.id}"] = 1
    return service.items(workload.id, search=search, filters=filters, limit=PAGE)


def _table(workload: Workload, page: ItemPage, *, selectable: bool) -> list[str]:
    """The page of items; returns all that are picked so far, over all pages."""
    picks: dict[str, list[str]] = st.session_state.setdefault(f"picks-{workload.id}", {})
    if not page.rows:
        st.caption(t("pick.none_found"))
        return _all(picks)
    number = str(st.session_state.get(f"page-{workload.id}", 1))
    ids = [r.id for r in page.rows]
    chosen = st.dataframe(
        [_row(r) for r in page.rows],
        hide_index=True,
        height="content",
        on_select="rerun" if selectable else "ignore",
        selection_mode="multi-row",
        key=f"items-{workload.id}-{hash(tuple(ids))}-{selectable}",
        column_config=_columns(page.rows[0]),
        alt=t("pick.table"),
    )
    if selectable:
        picks[number] = [i for i in picks.get(number, []) if i not in ids] + [ids[n] for n in chosen["selection"]["rows"]]
    _turn(workload, page)
    return _all(picks)


def _all(picks: dict[str, list[str]]) -> list[str]:
    return list(dict.fromkeys(i for page in picks.values() for i in page))


def _turn(workload: Workload, page: ItemPage) -> None:
    pages = -(-page.total // PAGE)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption(t("pick.found", n=count(page.total)), width="content")
        if pages > 1:
            st.pagination(pages, key=f"page-{workload.id}", max_visible_pages=5)


def _row(item: ItemView) -> dict[str, object]:
    told = {k: v for k, v in item.fields.items() if isinstance(v, str | int | float) and k != "lang"}
    reviews = {"reviews": item.reviews} if item.reviews else {}
    return {"name": item.name, **dict(list(told.items())[:3]), **reviews, "id": item.id}


def _columns(item: ItemView) -> dict[str, object]:
    config = st.column_config
    return {
        "name": config.TextColumn(t("column.name"), width="medium"),
        "reviews": config.NumberColumn(t("column.reviews"), format="localized"),
        "id": config.TextColumn(t("column.id")),
        **{k: config.TextColumn(k.replace("_", " ").capitalize()) for k in list(item.fields) if k not in ("name", "reviews", "id")},
    }


def _chosen(
    service: Service,
    workload: Workload,
    scope: str,
    everything: int,
    page: ItemPage,
    asked: tuple[str, dict[str, str]],
    picked: list[str],
) -> tuple[Items, int] | None:
    """The scope as the service understands it."""
    if scope == "all":
        return "all", everything
    if scope == "first":
        first = int(st.number_input(t("pick.first"), 1, everything, min(50, everything), key=f"first-{workload.id}"))
        return str(first), first
    if scope == "found":
        found = service.items(workload.id, search=asked[0], filters=asked[1], limit=max(1, page.total)).rows
        return ([r.id for r in found], len(found)) if found else None
    if not picked:
        st.caption(t("pick.pick_some"))
        return None
    return picked, len(picked)
