"""The endpoints that serve models: what each is, whether it answers, and the buttons that take it out and back in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from core.base.errors import BrigadeError
from core.base.views import EndpointView
from core.ui.components.columns import texts
from core.ui.components.problem import later, show_problem
from core.ui.components.serving_form import show_edit
from core.ui.language import t
from core.ui.numbers import DASH, count, rate, seconds
from core.ui.safe import label
from core.ui.sentences import said_by

if TYPE_CHECKING:
    from core.models import Discovery, WarmUp
    from core.service import Service
    from core.ui.frame import Desk

BY_HAND = ("callable",)  # named in the configuration file only


def pick_endpoint(service: Service) -> EndpointView | None:
    """The table of all endpoints; the one whose row is chosen."""
    endpoints = service.endpoints()
    chosen = st.dataframe(
        [_row(e) for e in endpoints],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="endpoints",
        column_config=texts("endpoint", "state", "kind", "models", "address", "source")
        | texts("limit", "rpm", "tpm", right=True, width=80),
        alt=t("serving.title"),
    )
    st.caption(t("serving.choose"))
    for endpoint in endpoints:
        if endpoint.problem:
            st.warning(t("serving.problem", name=label(endpoint.name)), icon=":material/warning:")
            st.text(endpoint.problem)
    rows = chosen["selection"]["rows"]
    return endpoints[rows[0]] if rows and rows[0] < len(endpoints) else None


def _row(endpoint: EndpointView) -> dict[str, object]:
    return {
        "endpoint": endpoint.name,
        "state": _state(endpoint),
        "kind": endpoint.kind,
        "models": ", ".join(endpoint.models) or t("serving.any_model"),
        "limit": count(endpoint.limit),
        "rpm": count(endpoint.rpm),
        "tpm": count(endpoint.tpm),
        "address": endpoint.url or DASH,
        "source": said_by(endpoint.source),
    }


def _state(endpoint: EndpointView) -> str:
    if endpoint.problem:
        return t("serving.ignored")
    if endpoint.removed:
        return t("serving.removed")
    return t("serving.no_key") if endpoint.key_env and not endpoint.key_set else t("serving.in_use")


def show_endpoint(desk: Desk, endpoint: EndpointView) -> None:
    """One endpoint: change it on the left; ask it, send it a tiny call, take it out of use on the right."""
    with st.container(border=True):
        st.subheader(label(endpoint.name), anchor=False)
        if endpoint.key_env:
            st.text(t("serving.key" if endpoint.key_set else "serving.key_missing", name=endpoint.key_env))
        change, ask = st.columns([7, 4], gap="medium", vertical_alignment="bottom")
        with change:
            if endpoint.kind not in BY_HAND:
                show_edit(desk, endpoint)
        with ask:
            _use_button(desk, endpoint)
            _buttons(desk)
        _answers(desk, endpoint)


def _buttons(desk: Desk) -> None:
    """Discovery and warm-up."""
    ask, warm = st.columns(2)
    ask.button(t("serving.discover"), icon=":material/travel_explore:", width="stretch", key="discover")
    warm.button(
        t("serving.warm_up"),
        icon=":material/local_fire_department:",
        width="stretch",
        key="warm_up",
        help=t("serving.warm_up_help"),
        disabled=not desk.person.operates,
    )


def _answers(desk: Desk, endpoint: EndpointView) -> None:
    """What came of the button that was pressed."""
    if st.session_state.get("discover"):
        _told(lambda: _show_discovery(desk.service.discover(endpoint.name)))
    if st.session_state.get("warm_up") and desk.person.operates:
        model = endpoint.models[0] if endpoint.models else ""
        _told(lambda: _show_warm_up(desk.service.warm_up(endpoint.name, model)))


def _told(ask: Callable[[], None]) -> None:
    with st.spinner(t("serving.asking")):
        try:
            ask()
        except BrigadeError as exc:
            show_problem("problem.endpoint", exc)


def _show_discovery(found: Discovery) -> None:
    if found.error:
        st.error(t("serving.silent"), icon=":material/error:")
        st.text(found.error)
        return
    st.success(t("serving.answers", time=seconds(found.latency_s)), icon=":material/check_circle:")
    st.text(t("serving.serves", models=", ".join(found.models[:20]) or DASH))


def _show_warm_up(told: WarmUp) -> None:
    if told.error:
        st.error(t("serving.cold"), icon=":material/error:")
        st.text(told.error)
        return
    st.success(t("serving.warm", time=seconds(told.latency_s)), icon=":material/check_circle:")
    if told.tokens_per_s is not None:
        st.text(t("serving.pace", first=seconds(told.ttft_s), rate=rate(told.tokens_per_s)))


def _use_button(desk: Desk, endpoint: EndpointView) -> None:
    verb = "restore" if endpoint.removed and not endpoint.problem else "remove"
    st.button(
        t(f"serving.{verb}"),
        icon=":material/undo:" if verb == "restore" else ":material/block:",
        width="stretch",
        key=verb,
        disabled=not desk.person.operates,
        help=t(f"serving.{verb}_help"),
        on_click=_use,
        args=(desk, endpoint.name, verb),
    )


def _use(desk: Desk, name: str, verb: str) -> None:
    if not desk.person.operates:
        return
    change = desk.service.restore_endpoint if verb == "restore" else desk.service.remove_endpoint
    try:
        change(name, who=desk.person.name)
    except BrigadeError as exc:
        later("problem.endpoint", exc)
    else:
        st.toast(t(f"serving.{verb}_done", name=label(name)), icon=":material/check:")
