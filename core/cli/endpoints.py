"""`endpoints`: the servers that models are served by, added, changed and removed while runs go on."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

from core.base.errors import UsageError
from core.cli import codes, options
from core.cli.opening import opened, who
from core.cli.output import print_json, print_table, print_text

if TYPE_CHECKING:
    from core.base.views import EndpointView

EXAMPLES = """
endpoints
endpoints --add gpu2 url=http://10.0.0.2:8000/v1 models=qwen3-8b limit=32
endpoints --add gpu2 limit=16 rpm=600
endpoints --remove gpu2
endpoints --restore gpu2"""
COLUMNS = ("endpoint", "kind", "address", "models", "#limit", "#rpm", "#tpm", "key", "state", "from")
LISTS = ("models",)


def register(commands: options.Commands) -> None:
    """Add `endpoints`."""
    summary = "where models are served; add, change and remove servers"
    parser = options.command(commands, "endpoints", run, summary=summary, examples=EXAMPLES)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--add", metavar="NAME", help="add this endpoint, or change the keys that follow")
    what.add_argument("--remove", metavar="NAME", help="send it no new calls; what is in flight finishes")
    what.add_argument("--restore", metavar="NAME", help="let a removed one take calls again")
    what.add_argument("--discover", metavar="NAME", help="ask it what it serves")
    parser.add_argument(
        "fields", metavar="KEY=VALUE", nargs="*", type=field, help="keys of an [[endpoint]]; KEY= takes one back"
    )


def field(text: str) -> tuple[str, Any]:
    """`KEY=VALUE` as a pair: numbers as numbers, models parted by commas, nothing as None."""
    key, separator, value = (word.strip() for word in text.partition("="))
    if not (key and separator):
        msg = f"{text!r} is not KEY=VALUE, for example limit=8"
        raise argparse.ArgumentTypeError(msg)
    if not value:
        return key, None
    if key in LISTS:
        return key, [name.strip() for name in value.split(",") if name.strip()]
    return key, int(value) if re.fullmatch(r"\d{1,9}", value) else value


def run(args: argparse.Namespace) -> int:
    """Change what is told to, then show all."""
    if args.fields and not args.add:
        msg = "Say whose keys these are: endpoints --add NAME KEY=VALUE."
        raise UsageError(msg)
    with opened(args) as service:
        if args.add:
            service.set_endpoint(args.add, dict(args.fields), who=who())
        elif args.remove:
            service.remove_endpoint(args.remove, who=who())
        elif args.restore:
            service.restore_endpoint(args.restore, who=who())
        elif args.discover:
            return discover(args, service.discover(args.discover))
        views = service.endpoints()
    if args.json:
        print_json(views)
    else:
        print_table("", COLUMNS, [row(view) for view in views])
    return codes.OK


def discover(args: argparse.Namespace, found: Any) -> int:
    """What a server says that it serves, or why it says nothing."""
    if args.json:
        print_json(found)
    elif found.error:
        print_text(f"{args.discover}: {found.error}")
    else:
        print_text(f"{args.discover} answers in {found.latency_s:.3f} s and serves: {', '.join(found.models) or '-'}")
    return codes.FAILED if found.error else codes.OK


def row(view: EndpointView) -> tuple[object, ...]:
    """An endpoint in the table."""
    key = f"{view.key_env} ({'set' if view.key_set else 'not set'})" if view.key_env else "-"
    state = view.problem or ("removed" if view.removed else "in use")
    models = ", ".join(view.models) or "any"
    return (view.name, view.kind, view.url or "-", models, view.limit, view.rpm, view.tpm, key, state, view.source)
