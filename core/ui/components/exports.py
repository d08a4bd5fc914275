"""Download buttons; the file is made when the button is pressed, not before."""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING

import streamlit as st

from core.base.views import RunView
from core.ui.language import t

if TYPE_CHECKING:
    from core.service import Service

FORMATS = {"csv": "text/csv", "jsonl": "application/x-ndjson"}


def _file(service: Service, run_id: str, fmt: str) -> bytes:
    out = BytesIO()
    service.export(run_id, fmt, out)
    return out.getvalue()


def show_exports(service: Service, run: RunView) -> None:
    """One button for each format."""
    with st.container(horizontal=True, gap="small"):
        for fmt, mime in FORMATS.items():
            st.download_button(
                t(f"export.{fmt}"),
                partial(_file, service, run.id, fmt),
                f"{run.id}.{fmt}",
                mime,
                key=f"export-{fmt}",
                on_click="ignore",
                icon=":material/download:",
            )
