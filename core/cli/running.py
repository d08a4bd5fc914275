"""`run`: start or resume a run, watch it, and end when it ends."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from core.base.errors import UsageError
from core.cli import codes, options, planning_words, sentences
from core.cli.failures import complain
from core.cli.opening import opened, reading, settings_of, who
from core.cli.output import note, print_json, print_text
from core.cli.progress import Meter, meter
from core.cli.signals import Stop
from core.cli.watch import Watch

if TYPE_CHECKING:
    from core.base.views import Forecast, RunView
    from core.service import Service

FIRST_ERRORS = 3
BOUNDS = ("llm_min", "llm_max", "search_min", "search_max", "slo_p95")
EXAMPLES = """
run --items 20 --llm-limit 8
run --items @ids.txt --llm-url http://127.0.0.1:8000/v1 --budget 5
run --workload celtic-cross --items all --model advice=practice-large
run --items all --llm-limit auto --slo-p95 4
run --items all --dry-run
run --items all --dry-run --sample 5 --budget 0.10
run --resume last
run --reuse last --llm-model practice-large
run --reuse last --items r-001 --only-stage total_summary"""


def register(commands: options.Commands) -> None:
    """Add `run`."""
    parser = options.command(commands, "run", run, summary="run a workload over items", examples=EXAMPLES)
    options.selection(parser)
    options.search_side(parser)
    options.model_side(parser)
    options.auto_side(parser)
    parser.add_argument("--budget", metavar="USD", type=options.dollars, help="stop before a run costs more")
    parser.add_argument(
        "--budget-day", metavar="USD", type=options.dollars, help="stop before all runs of today cost more"
    )
    parser.add_argument("--window", metavar="N", type=options.whole, help="items in flight; 0 finds it from the limits")
    parser.add_argument("--resume", metavar="RUN", help="go on with a run; `last` is the newest")
    parser.add_argument(
        "--reuse", "--like", metavar="RUN", help="a new run like that one, which takes over all that has not changed"
    )
    parser.add_argument(
        "--only-stage", metavar="STAGE,...", type=options.names, default=[], help="do only these stages; see --reuse"
    )
    parser.add_argument("--only-failed", action="store_true", help="with --reuse or --resume: just the failed items")
    parser.add_argument(
        "--cache", action="store_true", default=None, help="use answers that earlier runs with --cache have paid for"
    )
    parser.add_argument("--dry-run", action="store_true", help="check everything and forecast; spend and write nothing")
    parser.add_argument(
        "--sample", metavar="N", type=options.whole, default=0, help="with --dry-run: run N items, tell from them"
    )
    parser.add_argument("--no-progress", action="store_true", help="no live progress")
    parser.set_defaults(workload=None, items=None)


def run(args: argparse.Namespace) -> int:
    """Start, watch, report."""
    check(args)
    with Stop() as stop, opened(with_connections(args)) as service:
        if args.dry_run:
            return dry_run(args, service)
        show = meter(args, "resuming" if args.resume else "running")
        try:
            run_id = begin(args, service, show)
            note(args, f"run {run_id}; steer it with: python -m core control {run_id} --llm-limit N")
            ended = Watch(service, run_id, stop, show).until_end()
        finally:
            show.close()
        return report(args, service, ended)


def check(args: argparse.Namespace) -> None:
    """UsageError for options that contradict each other; a new run like no other is over all items."""
    if not args.reuse:
        args.workload = args.workload or options.DEFAULT_WORKLOAD
        args.items = args.items or "all"
    if args.dry_run and (args.resume or args.reuse):
        msg = "--dry-run goes with a new run only; `show RUN` says what is left of an old one."
        raise UsageError(msg)
    if args.resume and args.reuse:
        msg = "--resume goes on with a run, --reuse starts a new one: give one of them."
        raise UsageError(msg)
    if args.only_failed and not (args.resume or args.reuse):
        msg = "--only-failed means the failed items of a run: say which with --reuse RUN or --resume RUN."
        raise UsageError(msg)
    if args.sample and not args.dry_run:
        msg = "--sample goes with --dry-run: it runs a few items and tells from them what all would take."
        raise UsageError(msg)


def with_connections(args: argparse.Namespace) -> argparse.Namespace:
    """The arguments with the addresses that the earlier run was started with, where none are given now."""
    earlier = args.resume or args.reuse
    if not earlier:
        return args
    with reading(args) as service:
        kept = service.run(earlier).settings.get("connections", {})
    now = settings_of(args)
    given = {"llm_url": now.llm_url, "qdrant_url": now.search.url}
    missing = {name: kept.get(name) for name, value in given.items() if value is None}
    if missing.get("qdrant_url") and args.collection is None:
        missing["collection"] = kept.get("collection")
    return argparse.Namespace(**vars(args) | missing)


def begin(args: argparse.Namespace, service: Service, show: Meter) -> str:
    """Launch; the run's id."""
    if args.resume:
        return resume(args, service)
    if args.reuse:
        return reuse(args, service)
    samples(service, args.workload, show)
    if service.settings.endpoint_for(service.settings.model).kind == "practice":
        note(args, "The practice server answers: its speed is simulated and its prices are charged to nobody.")
    return service.start(
        args.workload,
        args.items,
        who=who(),
        stage_models=dict(args.model),
        only_stages=args.only_stage,
        cache=bool(args.cache),
    )


def samples(service: Service, workload: str, show: Meter) -> None:
    """Fill an empty catalogue with the sample items, and say so."""
    if service.store.catalogue.count(service.workload(workload).item_kind) == 0:
        show.say("Nothing has been imported yet: registering the sample items.")
        service.ensure_samples(lambda phase, part: show.tell(part, 1.0, f"samples: {phase}"))


def resume(args: argparse.Namespace, service: Service) -> str:
    """Go on with a run; what is given here replaces what it had."""
    run = service.run(args.resume)
    given = changes(args, run)
    if args.only_stage:
        given["only"] = tuple(args.only_stage)
    service.resume(run.id, who=who(), only_failed=args.only_failed, changes=given)
    return run.id


def reuse(args: argparse.Namespace, service: Service) -> str:
    """A new run like an earlier one; what is given here replaces what that had."""
    from core.again import Again, same_workload

    run = service.run(args.reuse)
    same_workload(run, args.workload)
    items = None if args.items is None else service.selected(run.workload, args.items)
    again = Again(items, args.only_failed, tuple(args.only_stage), changes(args, run))
    return service.start_again(run.id, again, who=who())


def changes(args: argparse.Namespace, run: RunView) -> dict[str, Any]:
    """What is given here instead of what an earlier run had."""
    given = {"llm_limit": args.llm_limit, "search_limit": args.search_limit, "model": args.llm_model}
    given |= {name: getattr(args, name) for name in ("window", "budget", "cache", *BOUNDS)}
    told = {name: value for name, value in given.items() if value is not None}
    if args.model:
        told["stage_models"] = {**run.settings.get("stage_models", {}), **dict(args.model)}
    return told


def dry_run(args: argparse.Namespace, service: Service) -> int:
    """Check and forecast."""
    told = service.dry_run(args.workload, args.items, stage_models=dict(args.model))
    if args.sample:
        told = sampled(args, service)
    if args.json:
        print_json(told)
    else:
        print_text(sentences.forecast(told))
        for caveat in told.caveats:
            note(args, planning_words.caveat(caveat))
    return codes.OK


def sampled(args: argparse.Namespace, service: Service) -> Forecast:
    """The forecast from a real run over a few of the items."""
    note(args, f"running {args.sample} of the items as a sample, which costs what they cost")
    return service.sample_forecast(
        args.workload, args.items, who=who(), n=args.sample, budget=args.budget, stage_models=dict(args.model)
    )


def report(args: argparse.Namespace, service: Service, ended: RunView) -> int:
    """The figures on stdout; why and how to go on, on stderr."""
    figures: dict[str, Any] = service.measures(ended.id)
    if args.json:
        print_json(figures)
    else:
        print_text(sentences.ending(ended, figures))
    code = codes.of_run(ended)
    if ended.reason and code == codes.FAILED:
        complain(ended.reason)
    elif ended.reason:
        note(args, ended.reason)
    failures(args, service, ended)
    if ended.pending and ended.status.value != "cancelled":
        note(args, f"resume with: {sentences.resume_line(args, ended.id)}")
    return code


def failures(args: argparse.Namespace, service: Service, ended: RunView) -> None:
    """The first few failed items with their errors."""
    if ended.failed:
        page = service.run_items(ended.id, status="failed", limit=FIRST_ERRORS)
        for row in page.rows:
            note(args, f"failed: {row.id} ({row.name}): {row.error or 'no reason was kept'}")
        if page.total > len(page.rows):
            note(args, f"... and {page.total - len(page.rows)} more; see: python -m core show {ended.id}")
