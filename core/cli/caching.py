"""`cache`: what is kept of earlier answers, and a way to forget it."""

from __future__ import annotations

import argparse
import time

from core.cli import codes, options
from core.cli.opening import reading
from core.cli.output import print_json, print_text

EXAMPLES = """
cache
cache --clear"""


def register(commands: options.Commands) -> None:
    """Add `cache`."""
    parser = options.command(
        commands, "cache", run, summary="how many answers `run --cache` has kept, or forget them", examples=EXAMPLES
    )
    parser.add_argument("--clear", action="store_true", help="forget every kept answer")


def run(args: argparse.Namespace) -> int:
    """Count, or clear and count what is gone."""
    with reading(args) as service:
        cleared = service.store.cache.clear() if args.clear else 0
        size = service.store.cache.size()
    if args.json:
        print_json({"answers": size.answers, "bytes": size.bytes, "oldest_at": size.oldest_at, "cleared": cleared})
    elif args.clear:
        print_text(f"{cleared} answers forgotten.")
    else:
        since = (
            "" if size.oldest_at is None else f", the oldest of {time.strftime('%F', time.localtime(size.oldest_at))}"
        )
        print_text(f"{size.answers} answers, {size.bytes / 1e6:.1f} MB{since}.")
    return codes.OK
