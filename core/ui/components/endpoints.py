"""What serves a run's models: the practice server and the embedded model are named, because neither charges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.base.views import RunView, StageStats
from core.ui.language import t
from core.ui.safe import label

if TYPE_CHECKING:
    from core.service import Service

FREE = ("practice", "extractive")  # kinds of endpoints that have a sentence


def show_note(service: Service, models: Iterable[str]) -> None:
    """A caption for the models that simulate or only quote; nothing for those of real servers."""
    by_kind: dict[str, list[str]] = {}
    for model in dict.fromkeys(models):
        by_kind.setdefault(kind_of(service, model), []).append(model)
    for kind in FREE:
        if kind in by_kind:
            st.caption(t(f"endpoint.{kind}", models=", ".join(label(m) for m in by_kind[kind] if m) or kind))


def kind_of(service: Service, model: str) -> str:
    """The kind of all endpoints that serve a model; `mixed` where they differ, `unknown` where there is none."""
    endpoints = service.settings_now().endpoints
    kinds = {e.kind for e in endpoints if model in e.models} or {e.kind for e in endpoints if not e.models}
    return kinds.pop() if len(kinds) == 1 else "mixed" if kinds else "unknown"


def run_models(run: RunView, stats: Sequence[StageStats]) -> list[str]:
    """The models a run was given and those that answered; none where a server of its own was named at its start."""
    if run.settings.get("connections", {}).get("llm_url"):
        return []
    given = [stage.get("model", "") for stage in run.settings.get("stages", {}).values()]
    answered = [s.model for s in stats if s.resource == "llm"]
    return list(dict.fromkeys(str(model) for model in (*given, *answered) if model))


def simulated(service: Service, run: RunView, stats: Sequence[StageStats]) -> bool:
    """Whether everything that a run is told to cost is the practice server's."""
    models = run_models(run, stats)
    return bool(models) and all(kind_of(service, m) == "practice" for m in models)
