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
from core.ui.components.announce import show_announced
from core.ui.components.problem import show_kept_problem, show_problem
from core.ui.language import choose_language, read_language, t
from core.ui.samples import wait_for_samples

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

    from core.service import Service

ROOT = Path(__file__).resolve().parents[2]
LOGO = Path(__file__).parent / "logo.svg"
PAGES = {
    "operate": (
        ("run", ":material/play_circle:"),
        ("results", ":material/restaurant_menu:"),
        ("models", ":material/hub:"),
    ),
    "measure": (
        ("performance", ":material/speed:"),
        ("costs", ":material/payments:"),
        ("tune", ":material/tune:"),
    ),
}
_navigated: set[str] = set()  # holds "app" once app.py has registered the pages in this process


@dataclass(frozen=True, slots=True)
class Desk:
    """What a page works with: the service and the person at the screen."""

    service: Service
    person: Person


def navigate() -> StreamlitPage:
    """Register the pages; `app.py` runs what this returns.

    The page settings come first: a page's icon would otherwise be fetched from a font server for the browser's tab.
    A default page has no path of its own, so the bare address is a hidden page that leads to Run.
    """
    _navigated.add("app")
    read_language()
    st.set_page_config(page_title="Brigade", page_icon=str(LOGO), layout="wide")
    shown = {t(f"nav.{section}"): [_page(*p) for p in pages] for section, pages in PAGES.items()}
    home = st.Page(_home, title="Brigade", default=True, visibility="hidden")
    return st.navigation({"": [home], **shown})


def _page(name: str, icon: str) -> StreamlitPage:
    return st.Page(ROOT / "pages" / f"{name}.py", title=t(f"nav.{name}"), icon=icon, url_path=name)


def _home() -> None:
    st.switch_page(ROOT / "pages" / "run.py", query_params=dict(st.query_params))


def open_page(name: str) -> Desk:
    """Title, sign-in, service and first import of one page; stops the page where one of them says so."""
    read_language()
    st.set_page_config(page_title=f"{t(f'nav.{name}')} · Brigade", page_icon=str(LOGO), layout="wide")
    if not _navigated:  # reached by the old discovery of `pages/`: go through app.py from now on
        navigate()
        st.rerun()
    st.logo(str(LOGO), size="large")
    person = sign_in()
    opened = _open()
    _sidebar(person)
    wait_for_samples(opened.samples)
    show_kept_problem()
    show_announced()
    return Desk(opened.service, person)


def _open() -> engine.Opened:
    try:
        return engine.opened()
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
