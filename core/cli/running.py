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
run --resume last"""


def register(commands: options.Commands) -> None:
    """Add `run`."""
    parser = options.command(commands, "run", run, summary="run a workload over items", examples=EXAMPLES)
    options.selection(parser)
    options.search_side(parser)
    options.model_side(parser)
    options.auto_side(parser)
    parser.add_argument("--budget", metavar="USD", type=options.dollars, help="stop before a run costs more")
    parser.add_argument("--window", metavar="N", type=options.whole, help="items in flight; 0 finds it from the limits")
    parser.add_argument("--resume", metavar="RUN", help="go on with a run; `last` is the newest")
    parser.add_argument("--dry-run", action="store_true", help="check everything and forecast; spend and write nothing")
    parser.add_argument(
        "--sample", metavar="N", type=options.whole, default=0, help="with --dry-run: run N items, tell from them"
    )
    parser.add_argument("--no-progress", action="store_true", help="no live progress")


def run(args: argparse.Namespace) -> int:
    """Start, watch, report."""
    if args.dry_run and args.resume:
        msg = "--dry-run and --resume do not go together; `show RUN` says what is left of a run."
        raise UsageError(msg)
    if args.sample and not args.dry_run:
        msg = "--sample goes with --dry-run: it runs a few items and tells from them what all would take."
        raise UsageError(msg)
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


def with_connections(args: argparse.Namespace) -> argparse.Namespace:
    """The arguments with the addresses that the run to be resumed was started with, where none are given now."""
    if not args.resume:
        return args
    with reading(args) as service:
        kept = service.run(args.resume).settings.get("connections", {})
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
    samples(service, args.workload, show)
    if service.settings.endpoint_for(service.settings.model).kind == "practice":
        note(args, "The practice server answers: its speed is simulated and its prices are charged to nobody.")
    return service.start(args.workload, args.items, who=who(), stage_models=dict(args.model))


def samples(service: Service, workload: str, show: Meter) -> None:
    """Fill an empty catalogue with the sample items, and say so."""
    if service.store.catalogue.count(service.workload(workload).item_kind) == 0:
        show.say("Nothing has been imported yet: registering the sample items.")
        service.ensure_samples(lambda phase, part: show.tell(part, 1.0, f"samples: {phase}"))


def resume(args: argparse.Namespace, service: Service) -> str:
    """Go on with a run; what is given here replaces what it had."""
    run = service.run(args.resume)
    given = {"llm_limit": args.llm_limit, "search_limit": args.search_limit, "model": args.llm_model}
    given |= {name: getattr(args, name) for name in ("window", "budget", *BOUNDS)}
    changes = {name: value for name, value in given.items() if value is not None}
    if args.model:
        changes["stage_models"] = {**run.settings.get("stage_models", {}), **dict(args.model)}
    service.resume(run.id, who=who(), changes=changes)
    return run.id


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
