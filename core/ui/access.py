"""Who is at the screen and what they may do: OIDC sign-in when `[auth]` is in the secrets, else the local operator.

Roles stand in the secrets too; `*` means whoever is signed in:

    [roles]
    operator = ["chef@example.com"]
    reviewer = ["dana@example.com"]
    viewer = ["*"]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from core.ui.language import t


class Role(IntEnum):
    """Each role may do what the ones before it may."""

    VIEWER = 1
    REVIEWER = 2
    OPERATOR = 3


@dataclass(frozen=True, slots=True)
class Person:
    """The one at the screen. `name` goes with every command into the database."""

    name: str
    role: Role

    @property
    def operates(self) -> bool:
        """Whether this person may start and steer runs."""
        return self.role >= Role.OPERATOR


def sign_in() -> Person:
    """The person at the screen; stops the page until they have signed in and have a role."""
    if not _secret("auth"):
        return Person("local", Role.OPERATOR)
    if not st.user.is_logged_in:
        _ask()
    email = str(st.user.get("email") or "") if st.user.get("email_verified", True) else ""
    role = role_of(email, _secret("roles"))
    if role is None:
        _refuse(email)
    return Person(email, role or Role.VIEWER)


def role_of(email: str, roles: Mapping[str, object]) -> Role | None:
    """The highest role whose list names the address or `*`; None where no list does."""
    found = [r for r in Role if _listed(email, roles.get(r.name.lower()))]
    return max(found, default=None)


def _listed(email: str, listed: object) -> bool:
    names = [str(n).lower() for n in listed] if isinstance(listed, list | tuple) else []
    return bool(email) and (email.lower() in names or "*" in names)


def _secret(section: str) -> Mapping[str, object]:
    try:
        value = st.secrets.get(section, {})
    except StreamlitSecretNotFoundError:
        return {}
    return value if isinstance(value, Mapping) else {}


def _ask() -> None:
    st.title(t("access.title"))
    st.text(t("access.why"))
    st.button(t("access.sign_in"), type="primary", icon=":material/login:", on_click=st.login)
    st.stop()


def _refuse(email: str) -> None:
    st.title(t("access.refused"))
    st.text(t("access.refused_why", email=email))
    st.button(t("access.sign_out"), icon=":material/logout:", on_click=st.logout)
    st.stop()
