"""`control`: commands to a run, whoever owns it, and what came of them."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.base.allocation_keys import KEYS
from core.base.errors import RunError, UsageError
from core.cli import allocating, codes, options, sentences
from core.cli.opening import reading, who
from core.cli.output import note, print_json, print_text

if TYPE_CHECKING:
    from core.base.views import ControlView
    from core.service import Service

PATIENCE_S = 2.0
LOOK_S = 0.02
EXAMPLES = """
control last --llm-limit 32
control last --llm-limit auto --slo-p95 4
control RUN --pause --reason "the server is being restarted"
control RUN --resume
control RUN --model aspect_summary=practice-large
control RUN --max-tokens aspect_summary=200 --max-concurrent total_summary=4 --fallback total_summary=extractive"""
Command = tuple[str, str]
# The limits before their bounds: an SLO needs auto to be on.
SIZES = ("llm_limit", "search_limit", "llm_min", "llm_max", "search_min", "search_max", "slo_p95", "budget")


def register(commands: options.Commands) -> None:
    """Add `control`."""
    parser = options.command(commands, "control", run, summary="steer a running run", examples=EXAMPLES)
    parser.add_argument("run_id", metavar="RUN", help="the run's id; `last` is the newest")
    parser.add_argument("--llm-limit", metavar="N|auto", type=options.limit, help="model calls in flight")
    parser.add_argument("--search-limit", metavar="N|auto", type=options.limit, help="searches in flight")
    options.auto_side(parser)
    allocating.stage_options(parser)
    parser.add_argument("--budget", metavar="USD", type=options.dollars, help="what the run may cost from now on")
    verb = parser.add_mutually_exclusive_group()
    verb.add_argument("--pause", action="store_true", help="send nothing new; what is in flight finishes")
    verb.add_argument("--resume", action="store_true", help="go on after --pause")
    verb.add_argument("--cancel", action="store_true", help="end the run for good; what is done is kept")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why, for the record")
    parser.add_argument("--no-wait", action="store_true", help="do not wait until the run has obeyed")


def run(args: argparse.Namespace) -> int:
    """Send, wait, tell."""
    commands = wanted(args)
    with reading(args) as service:
        run_id = obeying(service, args.run_id, commands)
        sent = [service.control(run_id, action, new, who=who(), reason=args.reason) for action, new in commands]
        told = answers(service, run_id, sent, 0.0 if args.no_wait else PATIENCE_S)
    if args.json:
        print_json(told)
        return _code(args, told)
    for command in told:
        print_text(f"run {run_id}: {sentences.outcome(command)}")
    return _code(args, told)


def wanted(args: argparse.Namespace) -> list[Command]:
    """The commands in the order in which they are sent: what changes how the run goes on before what moves it."""
    values = [(name, getattr(args, name)) for name in SIZES]
    commands = [(action, str(value)) for action, value in values if value is not None]
    commands += [(key, value) for key in KEYS for value in getattr(args, key)]
    commands += [(verb, "") for verb in ("pause", "resume", "cancel") if getattr(args, verb)]
    if not commands:
        msg = "Nothing to do: give --llm-limit, --search-limit, --model, --max-tokens, --pause, --resume or --cancel."
        raise UsageError(msg)
    return commands


def obeying(service: Service, name: str, commands: Sequence[Command]) -> str:
    """The run's id; RunError where `--resume` would need a process that this short command is not."""
    run = service.run(name)
    if ("resume", "") in commands and not run.owner_alive and run.status.value not in ("finished", "cancelled"):
        msg = (
            f"No process is working on run {run.id} ({run.status.value}). "
            f"Go on with it: python -m core run --resume {run.id}"
        )
        raise RunError(msg)
    return run.id


def answers(service: Service, run_id: str, sent: Sequence[int], patience_s: float) -> list[ControlView]:
    """The commands as they stand once all are obeyed, or the patience is over."""
    until = time.monotonic() + patience_s

    def look() -> list[ControlView]:
        return [c for c in service.controls(run_id) if c.id in sent]

    told = look()
    while any(c.applied_at is None for c in told) and time.monotonic() < until:
        time.sleep(LOOK_S)
        told = look()
    return sorted(told, key=lambda c: c.id)


def _code(args: argparse.Namespace, told: Sequence[ControlView]) -> int:
    """Failed when a command was refused, or nobody obeyed it in time."""
    if not args.no_wait and any(c.applied_at is None for c in told):
        note(args, f"not obeyed within {PATIENCE_S:.0f} s; it will be as soon as the run's process looks")
        return codes.FAILED
    return codes.FAILED if any(c.outcome.startswith("refused") for c in told) else codes.OK
