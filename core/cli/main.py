"""The parser and the dispatch: one line per command group."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import core
from core.cli import (
    allocating,
    caching,
    control,
    doctor,
    endpoints,
    exporting,
    forecasting,
    importing,
    practice,
    reading,
    running,
    searching,
    serve,
    sweeping,
)
from core.cli.failures import guarded
from core.cli.options import Parser, common
from core.cli.streams import prepare_streams

GROUPS = (
    importing,
    running,
    searching,
    control,
    reading,
    forecasting,
    exporting,
    allocating,
    endpoints,
    sweeping,
    caching,
    practice,
    serve,
    doctor,
)
DESCRIPTION = """\
LLM work over thousands of items: import reviews, run a workload over them, watch and steer it.

Data goes to stdout, logs and progress to stderr. Exit codes: 0 ok, 1 failed, 2 usage, 3 finished with failed
items, 4 stopped by budget, 130 interrupted."""
EPILOG = """\
examples:
  python -m core import reviews.csv
  python -m core run --items 20 --llm-limit 8
  python -m core control last --llm-limit 16
  python -m core export last --format csv --out results.csv
  python -m core COMMAND --help"""


def parser() -> Parser:
    """The whole command line."""
    whole = Parser(prog="python -m core", description=DESCRIPTION, epilog=EPILOG)
    whole.add_argument("--version", action="version", version=f"brigade {core.__version__}")
    common(whole)
    commands = whole.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for group in GROUPS:
        group.register(commands)
    return whole


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    prepare_streams()
    args: argparse.Namespace = parser().parse_args(argv)
    return guarded(args)
