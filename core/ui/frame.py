"""The frame every page begins with, because a direct link can reach a page without `app.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

import core
from core.base.errors import BrigadeError
from core.ui import engine
from core.ui.access import Person, sign_in
from core.ui.components.problem import show_kept_problem, show_problem
from core.ui.language import choose_language, t
from core.ui.samples import ensure_samples

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

    from core.service import Service

ROOT = Path(__file__).resolve().parents[2]
LOGO = Path(__file__).parent / "logo.svg"
PAGES = {
    "operate": (("run", ":material/play_circle:"), ("results", ":material/restaurant_menu:")),
    "measure": (("performance", ":material/speed:"), ("costs", ":material/payments:")),
}
_navigated = False


@dataclass(frozen=True, slots=True)
class Desk:
    """What a page works with: the service and the person at the screen."""

    service: Service
    person: Person


def navigate() -> StreamlitPage:
    """Register the pages; `app.py` runs what this returns."""
    global _navigated
    _navigated = True
    return st.navigation({t(f"nav.{section}"): [_page(*p) for p in pages] for section, pages in PAGES.items()})


def _page(name: str, icon: str) -> StreamlitPage:
    path = ROOT / "pages" / f"{name}.py"
    return st.Page(path, title=t(f"nav.{name}"), icon=icon, url_path=name, default=name == "run")


def open_page(name: str) -> Desk:
    """Title, sign-in, service and first import of one page; stops the page where one of them says so."""
    st.set_page_config(page_title=f"{t(f'nav.{name}')} · Brigade", page_icon=str(LOGO), layout="wide")
    if not _navigated:  # reached by the old discovery of `pages/`: go through app.py from now on
        navigate()
        st.rerun()
    st.logo(str(LOGO), size="large")
    person = sign_in()
    desk = Desk(_service(), person)
    _sidebar(person)
    ensure_samples(desk.service)
    show_kept_problem()
    return desk


def _service() -> Service:
    try:
        return engine.service()
    except BrigadeError as exc:
        show_problem("problem.service", exc)
        st.stop()


def _sidebar(person: Person) -> None:
    with st.sidebar:
        choose_language()
        if person.name != "local":
            st.text(person.name, wrap=False)
            st.button(t("access.sign_out"), icon=":material/logout:", type="tertiary", on_click=st.logout)
        st.caption(t("frame.footer", version=core.__version__))
