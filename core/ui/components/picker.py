"""Choosing what a run works on: everything, the first so many, what a search finds, or rows ticked in the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from core.base.views import ItemPage, ItemView
from core.base.workload import Workload
from core.ui.components.columns import Columns, numbers, texts
from core.ui.components.problem import show_empty
from core.ui.language import t, titled
from core.ui.numbers import count
from core.ui.safe import label, one_line
from core.ui.texts import knows

if TYPE_CHECKING:
    from core.service import Service

PAGE = 12  # rows of the table
FILTERS = 3  # fields offered as filters
CHOICES = 40  # most values of such a field
SCOPES = ("all", "first", "found", "picked")
Items = str | Sequence[str]


@dataclass(frozen=True, slots=True)
class Sought:
    """What the search box and the filters ask for."""

    workload: str
    search: str = ""
    filters: dict[str, str] = field(default_factory=dict)


def pick_workload(service: Service) -> Workload | None:
    """The workload to run; broken workload files are named above."""
    found = {w.id: w for w in _usual_first(service)}
    for problem in service.workload_problems():
        with st.container(border=True, gap="xsmall"):
            st.warning(t("pick.broken_workload"), icon=":material/warning:")
            st.text(problem)
    if not found:
        show_empty("empty.workloads")
        return None
    chosen = st.selectbox(
        t("pick.workload"), list(found), format_func=lambda i: _title(found[i]), key="workload", persist_state="session"
    )
    workload = found[chosen]
    st.caption(label(titled(workload.description, workload.description_ko), 300))
    return workload


def _usual_first(service: Service) -> list[Workload]:
    """The workload of the newest run first, then those that have reviews to search, then the others."""
    newest = [run.workload for run in service.runs(limit=1)]
    return sorted(service.workloads(), key=lambda w: (w.id not in newest, w.item_kind != "restaurant"))


def _title(workload: Workload) -> str:
    return titled(workload.title, workload.title_ko, workload.id)


def pick_items(service: Service, workload: Workload) -> tuple[Items, int] | None:
    """What `service.start` takes for items, and how many they are; None where nothing is chosen yet."""
    everything = service.items(workload.id, limit=1).total
    if not everything:
        show_empty("empty.items", ":material/storefront:")
        return None
    sought = _search(workload.id, _facets(service, workload.id, everything))
    scope = st.segmented_control(
        t("pick.scope"),
        SCOPES,
        format_func=lambda s: t(f"scope.{s}"),
        default="all",
        required=True,
        key="scope",
        label_visibility="collapsed",
    )
    picked = _table(sought, _page(service, sought), selectable=scope == "picked")
    if scope == "found":
        return _found(service, sought)
    return _picked(picked) if scope == "picked" else _counted(scope, sought.workload, everything)


def _search(workload: str, facets: dict[str, dict[str, int]]) -> Sought:
    """The search box and one select box for each field that has few values."""
    with st.grid(1 + len(facets), min_column_width=120):
        search = st.text_input(
            t("pick.search"),
            key=f"search-{workload}",
            icon=":material/search:",
            type="search",
            placeholder=t("pick.search_like"),
            label_visibility="collapsed",
        )
        chosen = {name: _filter(workload, name, values) for name, values in facets.items()}
    return Sought(workload, search or "", {name: value for name, value in chosen.items() if value})


@st.cache_data(ttl=60, max_entries=16, show_spinner=False)
def _facets(_service: Service, workload: str, everything: int) -> dict[str, dict[str, int]]:
    """Fields whose values are few enough to choose from; kept for a minute or until the catalogue grows."""
    first = _service.items(workload, limit=1).rows[: min(1, everything)]
    names = [n for item in first for n, v in item.fields.items() if isinstance(v, str)]
    facets = {n: _service.facets(workload, n) for n in names[:8]}
    few = min(CHOICES, everything // 2)  # a value that hardly ever comes twice is for the search box
    return dict([(n, f) for n, f in facets.items() if 1 < len(f) <= few][:FILTERS])


def _filter(workload: str, name: str, values: dict[str, int]) -> str | None:
    return st.selectbox(
        t("pick.filter"),
        sorted(values),
        index=None,
        format_func=lambda v: f"{v} ({count(values[v])})",
        key=f"filter-{workload}-{name}",
        placeholder=field_name(name),
        label_visibility="collapsed",
    )


def _page(service: Service, sought: Sought) -> ItemPage:
    """The page the reader has turned to; the first one when a search left fewer pages than that."""
    key = f"page-{sought.workload}"
    for number in (int(st.session_state.get(key, 1)), 1):
        page = service.items(
            sought.workload, search=sought.search, filters=sought.filters, limit=PAGE, offset=(number - 1) * PAGE
        )
        if page.rows:
            return page
        st.session_state.pop(key, None)
    return page


def _table(sought: Sought, page: ItemPage, *, selectable: bool) -> list[str]:
    """The page of items; returns all that are picked so far, over all pages and searches."""
    picks: dict[str, None] = st.session_state.setdefault(f"picks-{sought.workload}", {})
    if not page.rows:
        st.caption(t("pick.none_found"))
    elif selectable:
        _tick(page, picks, f"tick-{sought.workload}")
    else:
        _show(page)
    _turn(sought, page)
    return list(picks)


def _show(page: ItemPage) -> None:
    rows = _rows(page)
    st.dataframe(
        rows,
        hide_index=True,
        height="content",
        column_config=_columns(rows),
        alt=t("pick.table"),
    )


def _tick(page: ItemPage, picks: dict[str, None], key: str) -> None:
    """The same table with a box to tick in every row; the table of other rows is another widget."""
    ids, rows = [r.id for r in page.rows], _rows(page)
    chosen = st.dataframe(
        rows,
        hide_index=True,
        height="content",
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [n for n, i in enumerate(ids) if i in picks]}},
        key=f"{key}-{hash(tuple(ids))}",
        column_config=_columns(rows),
        alt=t("pick.table"),
    )
    _keep(picks, ids, [ids[n] for n in chosen["selection"]["rows"] if n < len(ids)])


def _keep(picks: dict[str, None], shown: Sequence[str], ticked: Sequence[str]) -> None:
    """What is ticked among the rows on screen; rows that are not on screen stay as they were."""
    for item in shown:
        picks.pop(item, None)
    picks.update(dict.fromkeys(ticked))


def _turn(sought: Sought, page: ItemPage) -> None:
    pages = -(-page.total // PAGE)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption(t("pick.found", n=count(page.total)), width="content")
        if pages > 1:  # content width would hide all numbers but one: the widget shows what its place has room for
            st.pagination(pages, key=f"page-{sought.workload}", max_visible_pages=5, width=44 * (min(pages, 5) + 3))


def field_name(name: str) -> str:
    """A field's name in the session's language where it is a usual one, else as the file has it."""
    key = f"field.{name}"
    return t(key) if knows(key) else name.replace("_", " ").capitalize()


def _rows(page: ItemPage) -> list[dict[str, object]]:
    """Name, the first three short fields, how many reviews (where the kind of item has any) and the id."""
    reviewed = any(item.reviews for item in page.rows)
    return [_row(item, {"reviews": item.reviews} if reviewed else {}) for item in page.rows]


def _row(item: ItemView, reviews: dict[str, int]) -> dict[str, object]:
    told = {k: one_line(str(v), 48) for k, v in item.fields.items() if isinstance(v, str | int | float) and k != "lang"}
    return {"name": item.name, **dict(list(told.items())[:3]), **reviews, "id": item.id}


def _columns(rows: Sequence[dict[str, object]]) -> Columns:
    """As wide as what is on screen needs, within bounds, so that the id is on screen too."""
    own = texts("name", width=156) | texts("id", width=150) | numbers("reviews", width=66)
    fields = [k for k in rows[0] if k not in own]
    return {k: st.column_config.TextColumn(field_name(k), width=_width(k, rows)) for k in fields} | own


def _width(name: str, rows: Sequence[dict[str, object]]) -> int:
    longest = max(len(str(row.get(name, ""))) for row in rows)
    return min(120, 7 * max(longest, len(field_name(name))) + 18)


def _counted(scope: str, workload: str, everything: int) -> tuple[Items, int]:
    if scope == "all":
        return "all", everything
    first = int(st.number_input(t("pick.first"), 1, everything, min(50, everything), key=f"first-{workload}"))
    return str(first), first


def _found(service: Service, sought: Sought) -> tuple[Items, int] | None:
    found = service.item_ids(sought.workload, search=sought.search, filters=sought.filters)
    return (found, len(found)) if found else None


def _picked(picked: list[str]) -> tuple[Items, int] | None:
    st.caption(t("pick.picked", n=count(len(picked))) if picked else t("pick.pick_some"))
    return (picked, len(picked)) if picked else None
