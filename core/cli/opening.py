"""From arguments to settings and an open service."""

from __future__ import annotations

import argparse
import getpass
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.base.settings import Settings
    from core.service import Service

DRAIN_S = 30.0


def settings_of(args: argparse.Namespace, *, only: tuple[str, ...] | None = None) -> Settings:
    """The settings with the command line as the strongest layer; `only` names the arguments that are settings."""
    from core.base.settings import load_settings

    given = vars(args)
    cli: Mapping[str, Any] = given if only is None else {name: given.get(name) for name in only}
    return load_settings(config=given.get("config"), env=os.environ, cli=cli)


@contextmanager
def opened(args: argparse.Namespace, *, only: tuple[str, ...] | None = None) -> Iterator[Service]:
    """The service of the settings; what it runs is drained when the block ends, cut off when it raises."""
    from core.base.settings import with_dotenv
    from core.service import Service

    service = Service.open(settings_of(args, only=only), with_dotenv(os.environ))
    patience = 0.0
    try:
        yield service
        patience = DRAIN_S
    finally:
        service.close(patience)


def reading(args: argparse.Namespace) -> Any:
    """The service for a command that only looks or steers: of the settings it needs the database alone."""
    return opened(args, only=("db",))


def who() -> str:
    """The operator, as the record of commands names them."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):  # no such user in this container
        return "command line"
