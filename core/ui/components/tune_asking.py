"""What the questions about runs to come have in common: fields of their forms, and an answer that is kept a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import streamlit as st

from core.base.errors import BrigadeError
from core.base.workload import Workload
from core.ui.components.problem import show_problem
from core.ui.language import t
from core.ui.safe import label

if TYPE_CHECKING:
    from core.service import Service

MOST_ITEMS = 1_000_000_000
MOST_LIMIT = 4096
FRESH_S = 300.0

Asked = Mapping[str, Any]
T = TypeVar("T")


def take_items(service: Service, workload: Workload, key: str, usual: int | None = None) -> int:
    """A number of items; all that are imported where nothing else is usual."""
    first = usual or service.items(workload.id, limit=1).total
    told = st.number_input(
        t("ahead.items"), 1, MOST_ITEMS, first, key=f"{key}-items-{workload.id}", help=t("ahead.items_help")
    )
    return int(told)


def take_limit(resource: str, key: str) -> int | None:
    """A limit; None for the one that runs begin with."""
    limit = st.number_input(
        t(f"launch.{resource}_limit"),
        1,
        MOST_LIMIT,
        None,
        key=f"{key}-{resource}",
        placeholder=t("ahead.usual"),
        help=t("ahead.limit_help"),
    )
    return None if limit is None else int(limit)


def take_model(service: Service, name: str, key: str, otherwise: str) -> str | None:
    """A model that is served now; None for the usual one."""
    known = dict.fromkeys(model for model, _ in service.models() if model)
    return st.selectbox(label(name), list(known), index=None, key=key, placeholder=otherwise)


def answered(key: str, asked: Asked | None, answer: Callable[[Asked], T]) -> T | None:
    """The answer to what was asked last in this session; None where nothing was, or it cannot be told.

    A simulation takes up to seconds: it is made when the form is sent and kept while other things are clicked.
    """
    if asked is not None:
        st.session_state[key] = dict(asked)
    now: Asked | None = st.session_state.get(key)
    if now is None:
        return None
    try:
        with st.spinner(t("ahead.thinking")):
            return answer(now)
    except BrigadeError as exc:
        show_problem("problem.ahead", exc)
        return None
