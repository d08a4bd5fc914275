"""`show` and `runs`: what happened."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from core.base.errors import UnknownError
from core.base.records import ItemStatus
from core.cli import codes, options, planning_words, sentences
from core.cli.figures import moment, money, seconds
from core.cli.opening import reading
from core.cli.output import print_json, print_table, print_text
from core.exports import record

if TYPE_CHECKING:
    from core.base.views import AttemptView, ControlView, LimitChangeView, ResultView, RunView, StageStats
    from core.service import Service

SHOW = """
show last
show RUN --json
show RUN --item r-001
show RUN --item r-001 --calls"""
RUNS = """
runs
runs --limit 5 --json"""


def register(commands: options.Commands) -> None:
    """Add `show` and `runs`."""
    parser = options.command(commands, "show", show, summary="what happened in a run", examples=SHOW)
    parser.add_argument("run_id", metavar="RUN", help="the run's id; `last` is the newest")
    parser.add_argument("--item", metavar="ID", help="one item's results with their evidence")
    parser.add_argument("--calls", action="store_true", help="with --item: every request, and why it went to its model")
    parser = options.command(commands, "runs", runs, summary="list the runs, newest first", examples=RUNS)
    parser.add_argument("--limit", metavar="N", type=lambda text: options.whole(text, 1), default=20, help="(20)")
    parser.add_argument("--workload", metavar="NAME", help="only runs of this workload")


def show(args: argparse.Namespace) -> int:
    """A run, or one item of it."""
    with reading(args) as service:
        run = service.run(args.run_id)
        if args.item is not None and args.calls:
            calls = service.timeline(run.id, args.item)
            print_json(calls) if args.json else print_table("", CALL_COLUMNS, [_call(a) for a in calls])
        elif args.item is not None:
            results = item_results(service, run, args.item)
            print_json([_full(r) for r in results]) if args.json else print_item(results)
        elif args.json:
            print_json(everything(service, run.id))
        else:
            print_run(service, run)
    return codes.OK


def everything(service: Service, run_id: str) -> dict[str, Any]:
    """All figures of a run: those of `run --json` and what stands behind them."""
    snapshot = service.snapshot(run_id)
    return {
        **service.measures(run_id),
        "settings": snapshot.run.settings,
        "bottleneck": sentences.bottleneck(snapshot.bottleneck),
        "attribution": service.attribution(run_id),
        "time_saved": service.time_saved(run_id),
        "effects": service.effects(run_id),
        "followed": service.followed(run_id),
        "stages": service.stages(run_id),
        "errors": service.errors(run_id),
        "controls": service.controls(run_id),
        "limit_changes": service.limit_changes(run_id),
    }


def print_run(service: Service, run: RunView) -> None:
    """Counts, stages, what held it back, errors and commands."""
    print_text(sentences.ending(run, service.measures(run.id)))
    if run.reason:
        print_text(run.reason)
    print_text(f"{run.workload}, created {moment(run.created_at)}; limits: {sentences.limits(run)}")
    print_text(sentences.bottleneck(service.snapshot(run.id).bottleneck))
    print_text(planning_words.attribution(service.attribution(run.id)))
    print_text(planning_words.saved(service.time_saved(run.id)))
    _section("Stages", STAGE_COLUMNS, [_stage(s) for s in service.stages(run.id)])
    _failed_items(service, run)
    _section("Last errors", ERROR_COLUMNS, [_error(e) for e in service.errors(run.id, 10)])
    _section("Limits", LIMIT_COLUMNS, [_limit_change(c) for c in service.limit_changes(run.id)[-LAST_CHANGES:]])
    _section("What the changes did", EFFECT_COLUMNS, [planning_words.effect(e) for e in service.effects(run.id)])
    for followed in service.followed(run.id):
        print_text(planning_words.followed(followed))
    _section("Commands", COMMAND_COLUMNS, [_command(c) for c in service.controls(run.id)])


def _failed_items(service: Service, run: RunView) -> None:
    """The first items that failed and why: one can fail without a request that did."""
    if run.failed:
        failed = service.run_items(run.id, status=ItemStatus.FAILED, limit=10)
        title = f"Failed items, {len(failed.rows)} of {failed.total}"
        _section(title, ("item", "name", "error"), [(i.id, i.name, i.error or "") for i in failed.rows])


def _section(title: str, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    if rows:
        print_text("")
        print_table(title, columns, rows)


STAGE_COLUMNS = ("stage", "model", "#calls", "#failed", "#429", "#retries", "#p50", "#p95", "#p99", "#queue p50", "#tokens in", "#out", "#cost")  # fmt: skip  # noqa: E501 - one table, one line
CALL_COLUMNS = ("#at", "stage", "parts", "endpoint", "model", "#max tokens", "#temperature", "state", "#took", "why")
ERROR_COLUMNS = ("#at", "item", "stage", "model", "state", "error")
EFFECT_COLUMNS = ("#at", "change", "#before", "#after", "#gain", "#p95 before", "#p95 after", "who", "reason")
COMMAND_COLUMNS = ("at", "who", "command", "reason")


LIMIT_COLUMNS = ("#at", "of", "#limit", "reason", "who")
LAST_CHANGES = 40


def _limit_change(c: LimitChangeView) -> tuple[object, ...]:
    moved = f"{c.old} -> {c.new}" if c.old != c.new else c.new
    return (seconds(c.t), " ".join(filter(None, (c.resource, c.endpoint))), moved, c.reason, c.who)


def _stage(s: StageStats) -> tuple[object, ...]:
    counts = (f"{s.calls:,}", s.failed, s.rate_limited, s.retries)
    times = (seconds(s.p50_s), seconds(s.p95_s), seconds(s.p99_s), seconds(s.queue_p50_s))
    if s.resource == "search":
        return (s.stage, "", *counts, *times, "", "", "")
    return (s.stage, s.model, *counts, *times, f"{s.input_tokens:,}", f"{s.output_tokens:,}", money(s.cost_usd))


def _call(a: AttemptView) -> tuple[object, ...]:
    sent = (seconds(a.t), a.stage, ", ".join(a.parts), a.endpoint, a.model, a.max_tokens, a.temperature)
    return (*sent, a.state, seconds(a.service_s), a.why)


def _error(e: AttemptView) -> tuple[object, ...]:
    return (seconds(e.t), e.item_id, e.stage, e.model, e.state, e.error or e.status)


def _command(c: ControlView) -> tuple[object, ...]:
    return (moment(c.at), c.who, sentences.outcome(c), c.reason)


def item_results(service: Service, run: RunView, item_id: str) -> list[ResultView]:
    """One item's results; UnknownError where the run has no such item."""
    results = service.results(run.id, item_id)
    if not results and not any(row.id == item_id for row in service.run_items(run.id, search=item_id).rows):
        some = ", ".join(row.id for row in service.run_items(run.id, limit=5).rows)
        msg = f"Run {run.id} has no item {item_id!r}; it has, for example, {some or 'none'}."
        raise UnknownError(msg)
    return results


def _full(result: ResultView) -> dict[str, Any]:
    """A result as in an export, its evidence with texts."""
    evidence = [{"review_id": e.review_id, "text": e.text, "score": e.score} for e in result.evidence]
    return {**record(result), "status": result.status, "error": result.error, "evidence": evidence}


def print_item(results: list[ResultView]) -> None:
    """One item's results, each with the sentences it rests on."""
    if not results:
        print_text("No results yet.")
    for result in results:
        part = f" / {result.part}" if result.part else ""
        flags = f" ({', '.join(result.flags)})" if result.flags else ""
        print_text(f"{result.stage}{part}: {result.status}{flags}")
        if result.text or result.error:
            print_text(f"  {result.text or result.error}")
        for evidence in result.evidence:
            print_text(f"    [{evidence.review_id}] {evidence.text}")


def runs(args: argparse.Namespace) -> int:
    """The list of runs."""
    with reading(args) as service:
        found = service.runs(limit=args.limit, workload=args.workload)
    if args.json:
        print_json([summary(run) for run in found])
    elif found:
        print_table("", RUN_COLUMNS, [_run(run) for run in found])
    else:
        print_text("There are no runs yet; start one: python -m core run --items 20")
    return codes.OK


RUN_COLUMNS = ("run", "workload", "status", "created", "#done", "#failed", "#pending", "#of", "#time", "#cost")


def _run(run: RunView) -> tuple[object, ...]:
    counts = (run.done + run.no_reviews + run.refused, run.failed, run.pending, run.selected)
    return (
        run.id,
        run.workload,
        run.status.value,
        moment(run.created_at),
        *counts,
        seconds(run.wall_s),
        money(run.cost_usd),
    )


def summary(run: RunView) -> dict[str, Any]:
    """A run in a list."""
    counts = ("selected", "done", "failed", "refused", "no_reviews", "pending")
    return {
        "run_id": run.id,
        "workload": run.workload,
        "status": run.status.value,
        "reason": run.reason,
        "created_at": run.created_at,
        **{name: getattr(run, name) for name in counts},
        "wall_s": round(run.wall_s, 3),
        "cost_usd": run.cost_usd,
        "limit": {"search": run.search_limit, "llm": run.llm_limit},
        "owner_alive": run.owner_alive,
    }
