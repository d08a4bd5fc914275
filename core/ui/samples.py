"""The first start: the sample restaurants are imported in a thread while every open page shows how far it is."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import streamlit as st

from core.base.errors import BrigadeError
from core.ui.language import t

if TYPE_CHECKING:
    from core.service import Service


class SampleImport:
    """One import in one thread; pages read `share` and `problem`, never the service's progress call itself."""

    def __init__(self, service: Service) -> None:
        self.share = 0.0
        self.problem: str | None = None
        self._service = service
        self._thread = threading.Thread(target=self._work, name="brigade-samples", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<SampleImport {self.share:.0%}{', done' if self.done else ''}>"

    @property
    def done(self) -> bool:
        """Whether the import has ended, well or not."""
        return not self._thread.is_alive()

    def wait(self, seconds: float) -> bool:
        """Wait a little; True once it has ended."""
        self._thread.join(seconds)
        return self.done

    def _work(self) -> None:
        try:
            self._service.ensure_samples(self._moved)
        except BrigadeError as exc:
            self.problem = str(exc)

    def _moved(self, _what: str, share: float) -> None:
        self.share = min(1.0, max(0.0, share))


def wait_for_samples(work: SampleImport) -> None:
    """Wait for the first import, showing its progress; costs nothing once it has ended."""
    if not work.wait(0.3):
        bar = st.progress(0.0, text=t("samples.importing"))
        while not work.wait(0.2):
            bar.progress(work.share, text=t("samples.importing"))
        bar.empty()
    if work.problem:
        st.warning(t("samples.failed"), icon=":material/warning:")
        st.text(work.problem)
