"""The one service of this process, shared by all sessions, with the first import of its samples.

Streamlit throws local modules away when a source file changes; a service that survived would hold classes of the old
code, and a second one would start a second engine. So the cache is keyed by the sources below the screen: editing a
page keeps the service, editing the core closes it and opens the next.
"""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import threading
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from core.ui.samples import SampleImport

if TYPE_CHECKING:
    from core.service import Service

CORE = Path(__file__).resolve().parents[1]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """A service and the import of its samples, which begins with it."""

    service: Service
    samples: SampleImport
    _closed: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        """Let the runs of this process drain and close everything, once."""
        if not self._closed.is_set():
            self._closed.set()
            self.service.close()


def open_service() -> Service:
    """Open the service with the settings of this process."""
    from core.base.settings import load_settings, with_dotenv
    from core.service import Service

    return Service.open(load_settings(env=os.environ, cli={}), with_dotenv(os.environ))


def opened() -> Opened:
    """The service; raises `BrigadeError` when it cannot be opened."""
    return _opened(sources())


@st.cache_resource(max_entries=1, show_spinner=False, on_release=Opened.close)
def _opened(code: str) -> Opened:
    log.info("opening the service for the core %s", code[:12])
    service = open_service()
    opened = Opened(service, SampleImport(service))
    _close_at_exit(opened)
    return opened


def _close_at_exit(opened: Opened) -> None:
    """Drain when the server is asked to end, so that its runs are `interrupted` rather than found crashed.

    `atexit` would be too late: by then thread pools take no work, and draining needs them.
    """
    register = getattr(threading, "_register_atexit", atexit.register)
    register(opened.close)


@cache
def sources() -> str:
    """A fingerprint of the core's sources without the screen's; read once for each load of this module."""
    files = sorted(p for p in CORE.rglob("*.py") if CORE / "ui" not in p.parents)
    told = [f"{p.relative_to(CORE)} {p.stat().st_mtime_ns} {p.stat().st_size}" for p in files]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()
