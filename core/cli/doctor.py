"""`doctor`: every setting with its source, every connection tried, and what to do about what is broken."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict

from core.cli import codes, options, stored
from core.cli.checks import PROBLEM, Check
from core.cli.opening import settings_of
from core.cli.output import print_json, print_table, print_text

EXAMPLES = """
doctor
doctor --json --db /srv/brigade.db
doctor --llm-url http://127.0.0.1:8000/v1 --qdrant-url http://127.0.0.1:6333
doctor --llm-url http://127.0.0.1:8000/v1 --warm-up"""
SETTING_COLUMNS = ("setting", "value", "from")
CHECK_COLUMNS = ("check", "state", "found")


def register(commands: options.Commands) -> None:
    """Add `doctor`."""
    parser = options.command(commands, "doctor", run, summary="try every setting and connection", examples=EXAMPLES)
    parser.add_argument("--qdrant-url", metavar="URL", help="try this Qdrant server")
    parser.add_argument("--collection", metavar="NAME", help="its collection (reviews)")
    parser.add_argument("--llm-url", metavar="URL", help="try this OpenAI-compatible API base")
    parser.add_argument("--llm-model", metavar="NAME", help="and whether it serves this model")
    parser.add_argument("--warm-up", action="store_true", help="make one tiny call to each model, paid for like any")


def run(args: argparse.Namespace) -> int:
    """Look at everything; failed when something that a run needs is broken."""
    from core.base.settings import describe, with_dotenv
    from core.cli.checks import examine

    env = with_dotenv(os.environ)
    found = stored.look(settings_of(args), env)
    checks = [*examine(found.settings, env, warm=args.warm_up), *found.checks]
    rows = describe(found.settings)
    if args.json:
        names = ("name", "value", "source", "meaning")
        shown = [dict(zip(names, row, strict=True)) for row in rows]
        told = {"ok": is_well(checks), "settings": shown, "allocations": found.allocations}
        print_json({**told, "checks": [asdict(c) for c in checks]})
    else:
        _print(found, rows, checks)
    return codes.OK if is_well(checks) else codes.FAILED


def is_well(checks: list[Check]) -> bool:
    """Whether nothing that a run needs is broken."""
    return not any(check.state == PROBLEM for check in checks)


def _print(found: stored.Stored, rows: list[tuple[str, str, str, str]], checks: list[Check]) -> None:
    print_table("Settings", SETTING_COLUMNS, [(name, value or "-", source) for name, value, source, _ in rows])
    print_text("")
    stored.print_allocations(found.allocations)
    print_table("Checks", CHECK_COLUMNS, [(c.name, c.state, c.detail) for c in checks])
    print_text("")
    broken = sum(check.state == PROBLEM for check in checks)
    well = f"Everything that a run needs is well (database {found.settings.db})."
    print_text(f"{broken} of {len(checks)} checks found a problem." if broken else well)
