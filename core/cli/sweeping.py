"""`sweep` and `sweeps`: measure the throughput-latency frontier with real calls; look at what was measured."""

from __future__ import annotations

import argparse
import sys
from decimal import Decimal
from typing import TYPE_CHECKING

from core.base.errors import BrigadeError, UsageError
from core.cli import codes, options, sentences, sweep_words
from core.cli.failures import complain
from core.cli.figures import money
from core.cli.opening import opened, reading, who
from core.cli.output import note, print_json, print_text
from core.cli.progress import meter
from core.cli.running import samples
from core.cli.signals import Stop
from core.cli.watch import Watch

if TYPE_CHECKING:
    from core.base.views import RunView, SweepEstimate
    from core.service import Service
    from core.tuning.sweep_order import SweepOrder

TYPED_ABOVE = Decimal("5")  # USD from which the cost must be typed
SWEEP = """
sweep --items all --limits 1,2,4,8,16,32
sweep --items all --limits auto --slo-p95 4 --budget 2 --yes
sweep --items all --preset kv-limited
sweep --resource search --items all --limits 1,2,4,8,16"""
SWEEPS = """
sweeps
sweeps last
sweeps SWEEP SWEEP --json"""


def register(commands: options.Commands) -> None:
    """Add `sweep` and `sweeps`."""
    parser = options.command(
        commands, "sweep", sweep, summary="measure throughput and latency at several limits", examples=SWEEP
    )
    options.selection(parser)
    parser.add_argument("--resource", choices=("llm", "search"), default="llm", help="whose limit is swept (llm)")
    parser.add_argument("--limits", metavar="N,N,...", type=limits, default=(), help="the limits, or auto (auto)")
    parser.add_argument("--slo-p95", metavar="S", type=target, help="seconds in which 95 %% of the calls must end")
    parser.add_argument("--budget", metavar="USD", type=options.dollars, help="refuse or stop a sweep that costs more")
    parser.add_argument("--endpoint", metavar="NAME", help="the endpoint to measure, one of the configuration's")
    parser.add_argument("--preset", metavar="NAME", help="rehearse on a practice server (practice --list)")
    parser.add_argument("--llm-url", metavar="URL", help="measure an OpenAI-compatible API base")
    parser.add_argument("--llm-model", metavar="NAME", help="the model that every stage uses there")
    parser.add_argument("--search-limit", metavar="N", type=options.limit, help="searches in flight meanwhile")
    parser.add_argument("--qdrant-url", metavar="URL", help="search a Qdrant server instead of the embedded index")
    parser.add_argument("--collection", metavar="NAME", help="the Qdrant collection (reviews)")
    parser.add_argument("--yes", action="store_true", help="ask nothing, even where it costs money")
    parser.add_argument("--dry-run", action="store_true", help="only the estimate; spend and write nothing")
    parser.add_argument("--no-progress", action="store_true", help="no live progress")
    parser = options.command(commands, "sweeps", sweeps, summary="what sweeps measured, to compare", examples=SWEEPS)
    parser.add_argument("sweep_ids", metavar="SWEEP", nargs="*", help="ids; `last` is the newest (none: list them)")
    parser.add_argument("--workload", metavar="NAME", help="only sweeps of this workload")
    parser.add_argument("--limit", metavar="N", type=lambda text: options.whole(text, 1), default=20, help="(20)")


def limits(text: str) -> tuple[int, ...]:
    """`1,2,4` or `auto`."""
    from core.tuning.sweep_order import parse_limits

    try:
        return parse_limits(text)
    except BrigadeError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def target(text: str) -> float:
    """Seconds above zero."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        msg = f"{text!r} is not a number of seconds above 0, for example 4 or 0.5"
        raise argparse.ArgumentTypeError(msg)
    return number


def sweep(args: argparse.Namespace) -> int:
    """Estimate, ask, run, report."""
    with Stop() as stop, opened(args) as service:
        show = meter(args, "sweeping")
        try:
            samples(service, args.workload, show)
            order = order_of(args, service)
            told = service.estimate_sweep(order)
            if args.dry_run:
                return dry_run(args, told)
            note(args, f"This sweep: {sweep_words.estimate(told, args.resource)}")
            confirm(args, told)
            ended = Watch(service, launch(args, service, order), stop, show).until_end()
        finally:
            show.close()
        return report(args, service, ended)


def order_of(args: argparse.Namespace, service: Service) -> SweepOrder:
    """What is asked for; a server given by its address is the endpoint."""
    from core.base.setting_endpoints import CLI
    from core.tuning.sweep_order import SweepOrder

    return SweepOrder(
        args.workload,
        args.items,
        resource=args.resource,
        limits=args.limits,
        slo_p95_s=args.slo_p95,
        endpoint=args.endpoint or (CLI if args.llm_url else None),
        model=args.llm_model,
        preset=args.preset,
        budget=service.settings.budget,
    )


def dry_run(args: argparse.Namespace, told: SweepEstimate) -> int:
    """The estimate alone."""
    if args.json:
        print_json(told)
    else:
        print_text(sweep_words.estimate(told, args.resource))
        note(args, sweep_words.scarcity(told, args.resource))
    return codes.OK


def confirm(args: argparse.Namespace, told: SweepEstimate) -> None:
    """Ask before money is spent: a yes, above a sum the sum itself. UsageError where nobody is there to ask."""
    if scarce := sweep_words.scarcity(told, args.resource):
        note(args, scarce)
    if args.yes or told.simulated or (told.cost_usd and not told.cost_usd[1]):
        return
    if not (sys.stdin and sys.stdin.isatty()):
        msg = "A sweep sends real calls that may cost money; say --yes where nobody can be asked."
        raise UsageError(msg)
    most = told.cost_usd[1] if told.cost_usd else None
    wanted = f"{most:.2f}" if most is not None and most >= TYPED_ABOVE else "yes"
    price = "an unknown amount" if most is None else f"up to {money(most)}"
    print(f"It may cost {price}. Type {wanted} to begin: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() != wanted:
        msg = "The sweep was not confirmed; nothing was sent."
        raise UsageError(msg)


def launch(args: argparse.Namespace, service: Service, order: SweepOrder) -> str:
    """Start it; its id."""
    sweep_id = service.start_sweep(order, who=who())
    note(args, f"sweep {sweep_id}; watch it with: python -m core sweeps {sweep_id}")
    return sweep_id


def report(args: argparse.Namespace, service: Service, ended: RunView) -> int:
    """The frontier on stdout; why it ended and how to go on, on stderr."""
    view = service.sweep(ended.id)
    found = service.frontier(view)
    if args.json:
        print_json(sweep_words.as_json(view, found))
    else:
        sweep_words.show(view, found)
    code = codes.of_run(ended)
    if code == codes.FAILED:
        complain(ended.reason)
    else:
        note(args, view.why or ended.reason)
    if found.knee is None:
        return code or codes.FAILED
    if code not in (codes.OK, codes.FAILED_ITEMS):
        note(args, f"go on with: {sentences.resume_line(args, ended.id)}")
    else:
        note(args, f"use it with: python -m core run --{args.resource}-limit {found.knee}")
    return code


def sweeps(args: argparse.Namespace) -> int:
    """A list, or the frontiers of the sweeps that are named."""
    with reading(args) as service:
        named = [service.sweep(sweep_id) for sweep_id in args.sweep_ids]
        views = named or service.sweeps(workload=args.workload, limit=args.limit)
        rows = [(view, service.frontier(view)) for view in views]
    if args.json:
        sweep_words.print_all(rows)
    elif not rows:
        print_text("There are no sweeps yet; start one: python -m core sweep --items all")
    for row in rows if named and not args.json else ():
        sweep_words.show(*row)
    if rows and not args.json and len(named) != 1:
        sweep_words.show_list(rows)
    return codes.OK
