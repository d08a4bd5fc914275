"""`serve`: the dashboard, on this machine only."""

from __future__ import annotations

import argparse
import errno
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import UsageError
from core.cli import options
from core.cli.opening import settings_of
from core.cli.output import note

if TYPE_CHECKING:
    from core.base.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
TRIED = 50
EXAMPLES = """
serve
serve --port 8600 --no-browser --db /srv/brigade.db"""


def register(commands: options.Commands) -> None:
    """Add `serve`."""
    parser = options.command(commands, "serve", run, summary="open the dashboard", examples=EXAMPLES, json=False)
    parser.add_argument(
        "--port", metavar="N", type=options.port, default=8501, help="the next free one if taken (8501)"
    )
    parser.add_argument("--no-browser", "--headless", action="store_true", help="do not open a browser")


def run(args: argparse.Namespace) -> int:
    """Become the dashboard's process."""
    from core.base.settings import with_dotenv

    settings = settings_of(args, only=("db",))
    port = free_port(args.port)
    if port != args.port and args.port:
        note(args, f"Port {args.port} is taken; using {port}.")
    note(args, f"The dashboard is at http://{HOST}:{port}")
    os.environ.update(with_dotenv(os.environ))  # .env is looked for here, not where streamlit will run
    os.environ.update(places(settings, args.config))
    os.chdir(ROOT)  # streamlit reads .streamlit/config.toml from there
    command = [sys.executable, "-m", "streamlit", "run", "app.py", *streamlit_options(args, port)]
    os.execv(sys.executable, command)  # noqa: S606 - our own arguments, no shell


def places(settings: Settings, config: Path | None) -> dict[str, str]:
    """The variables of all paths that this start speaks of, which hold in another directory too."""
    given = {"BRIGADE_DB": settings.db, "BRIGADE_SEARCH_PATH": settings.search.path}
    given |= {"BRIGADE_WORKLOADS": settings.workloads}
    if config is not None:
        given["BRIGADE_CONFIG"] = config
    return {name: str(path.absolute()) for name, path in given.items()}


def streamlit_options(args: argparse.Namespace, port: int) -> list[str]:
    """What streamlit is told on top of .streamlit/config.toml."""
    told = {
        "server.address": HOST,
        "server.port": port,
        "server.headless": str(args.no_browser or not has_screen()).lower(),
        "server.showEmailPrompt": "false",
        "browser.serverAddress": HOST,
    }
    return [f"--{name}={value}" for name, value in told.items()]


def has_screen() -> bool:
    """Whether a browser could open here."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def free_port(wanted: int) -> int:
    """The wanted port or the next free one; 0 is any. UsageError where none can be had."""
    for port in range(wanted, min(wanted + TRIED, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as exc:
                if exc.errno == errno.EACCES:
                    break
                continue
            return int(probe.getsockname()[1])
    msg = f"No port from {wanted} on can be had at {HOST}; choose another with --port."
    raise UsageError(msg)
