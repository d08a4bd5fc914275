"""`practice`: a real HTTP server that answers like a model and simulates a server's speed."""

from __future__ import annotations

import argparse

from core.base.errors import RunError
from core.cli import codes, options, streams
from core.cli.output import note, print_json, print_table, print_text

EXAMPLES = """
practice --list
practice --preset single-gpu-8b --port 8000
run --items 20 --llm-url http://127.0.0.1:8000/v1"""
DEFAULT = "single-gpu-8b"
PLAINLY = "Its speed is simulated: figures measured against it say nothing of a real server."


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
    from core.practice import serve

    if args.list:
        return presets(args)
    try:
        serve(args.preset, args.host, args.port, ready=lambda port: _announce(args, port))
    except OSError as exc:
        msg = f"Cannot listen at {args.host}:{args.port} ({exc.strerror or exc}); choose another --port, 0 is any."
        raise RunError(msg) from exc
    return codes.OK


def presets(args: argparse.Namespace) -> int:
    """The servers that can be simulated."""
    from core.practice import PRESETS

    if args.json:
        print_json([{"preset": preset.name, "title": preset.title} for preset in PRESETS.values()])
    else:
        print_table("", ("preset", "what it simulates"), [(p.name, p.title) for p in PRESETS.values()])
    return codes.OK


def _announce(args: argparse.Namespace, port: int) -> None:
    url = f"http://{args.host}:{port}/v1"
    if args.json:
        print_json({"url": url, "preset": args.preset, "simulated": True})
    else:
        print_text(f"practice server at {url}, preset {args.preset}")
    streams.flush()
    note(args, f"{PLAINLY} Use it with: python -m core run --llm-url {url}")
