"""The one service of this process, shared by all sessions.

Streamlit throws local modules away when a source file changes; a service that survived would hold classes of the old
code, and a second one would start a second engine. So the cache is keyed by the sources below the screen: editing a page keeps the
service, editing the core closes it and opens the next.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from core.service import Service

CORE = Path(__file__).resolve().parents[1]


def open_service() -> Service:
    """Open the service with the settings of this process."""
    from core.base.settings import load_settings
    from core.service import Service

    return Service.open(load_settings(env=os.environ, cli={}), who="dashboard")


def service() -> Service:
    """The service; raises `BrigadeError` when it cannot be opened."""
    return _opened(sources())


@st.cache_resource(max_entries=1, show_spinner=False, on_release=lambda opened: opened.close())
def _opened(code: str) -> Service:
    return open_service()


@cache
def sources() -> str:
    """A fingerprint of the core's sources without the screen's; read once for each load of this module."""
    files = sorted(p for p in CORE.rglob("*.py") if CORE / "ui" not in p.parents)
    told = [f"{p.relative_to(CORE)} {p.stat().st_mtime_ns} {p.stat().st_size}" for p in files]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()
