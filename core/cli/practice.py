"""`practice`: a real HTTP server that answers like a model and simulates a server's speed."""

from __future__ import annotations

import argparse

from core.cli import codes, options
from core.cli.output import note, print_json, print_table

EXAMPLES = """
practice --list
practice --preset single-gpu-8b --port 8000
run --items 20 --llm-url http://127.0.0.1:8000/v1"""
DEFAULT = "single-gpu-8b"


def register(commands: options.Commands) -> None:
    """Add `practice`."""
    parser = options.command(
        commands, "practice", run, summary="serve practice models with simulated speed", examples=EXAMPLES
    )
    parser.add_argument("--preset", metavar="NAME", default=DEFAULT, help=f"which server to simulate ({DEFAULT})")
    parser.add_argument("--host", metavar="HOST", default="127.0.0.1", help="the address to listen at (127.0.0.1)")
    parser.add_argument("--port", metavar="N", type=options.port, default=8000, help="0 is any free one (8000)")
    parser.add_argument("--list", action="store_true", help="list the presets")


def run(args: argparse.Namespace) -> int:
    """Serve until stopped, or list."""
    raise NotImplementedError
