"""Forms that add an endpoint, or change what the database says of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from core.base.errors import BrigadeError
from core.base.views import EndpointView
from core.ui.components.announce import announce
from core.ui.components.problem import show_problem
from core.ui.language import t

if TYPE_CHECKING:
    from core.ui.frame import Desk

KINDS = ("openai", "anthropic", "practice", "extractive")
NUMBERS = ("limit", "rpm", "tpm")
UNLIMITED = "∞"


def show_new_endpoint(desk: Desk) -> None:
    """A server to add: where it is, what it serves, how much it takes."""
    with st.expander(t("serving.add"), icon=":material/add:"), st.form("new-endpoint", border=False):
        name, fields = _place()
        fields |= _capacity("new", None)
        sent = st.form_submit_button(
            t("serving.add"), type="primary", width="stretch", disabled=not desk.person.operates
        )
    if sent:
        _write(desk, name.strip(), _given(fields), "serving.added")


def _place() -> tuple[str, dict[str, Any]]:
    """The name, and what says where the server is."""
    name, kind, url, key = st.columns([2, 2, 4, 3])
    named = name.text_input(t("serving.name"), max_chars=60, placeholder=t("serving.name_like"))
    return named or "", {
        "kind": kind.selectbox(t("serving.kind"), KINDS, help=t("serving.kind_help")),
        "url": url.text_input(t("serving.url"), placeholder=t("serving.url_like"), help=t("serving.url_help")),
        "key_env": key.text_input(t("serving.key_env"), placeholder=t("serving.key_like"), help=t("serving.key_help")),
    }


def show_edit(desk: Desk, endpoint: EndpointView) -> None:
    """What may be changed while runs use it: models, limit and quota."""
    with st.form(f"edit-{endpoint.name}", border=False):
        fields = _capacity(endpoint.name, endpoint)
        sent = st.form_submit_button(
            t("serving.apply"), type="primary", width="stretch", disabled=not desk.person.operates
        )
    if sent:
        _write(desk, endpoint.name, _changes(endpoint, fields), "serving.changed")


def _capacity(key: str, endpoint: EndpointView | None) -> dict[str, Any]:
    """The fields that both forms have; an empty number is no limit."""
    serves, *columns = st.columns([4, *(2 for _ in NUMBERS)])
    models = serves.text_input(
        t("serving.models"),
        value=", ".join(endpoint.models) if endpoint else "",
        key=f"models-{key}",
        placeholder=t("serving.models_like"),
        help=t("serving.models_help"),
    )
    fields: dict[str, Any] = {"models": [m.strip() for m in (models or "").split(",") if m.strip()]}
    for name, column in zip(NUMBERS, columns, strict=True):
        now = getattr(endpoint, name) if endpoint else None
        fields[name] = column.number_input(
            t(f"column.{name}"),
            min_value=1,
            value=now,
            step=1,
            key=f"{name}-{key}",
            placeholder=UNLIMITED,
            help=t(f"serving.{name}_help"),
        )
    return fields


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    """What was filled in."""
    clean = {key: value.strip() if isinstance(value, str) else value for key, value in fields.items()}
    return {key: value for key, value in clean.items() if value}


def _changes(endpoint: EndpointView, fields: dict[str, Any]) -> dict[str, Any]:
    """What differs from the endpoint as it is; None takes a number back."""
    now = {"models": list(endpoint.models), **{name: getattr(endpoint, name) for name in NUMBERS}}
    return {key: value or None for key, value in fields.items() if value != now[key]}


def _write(desk: Desk, name: str, fields: dict[str, Any], done: str) -> None:
    if not desk.person.operates:
        return
    if not fields or not name:
        st.toast(t("serving.nothing" if name else "serving.nameless"))
        return
    try:
        desk.service.set_endpoint(name, fields, who=desk.person.name)
    except BrigadeError as exc:
        show_problem("problem.endpoint", exc)
    else:
        announce(done, name)
