"""`allocate`: which model does which stage, kept in the database for every run; the options that say it of one run."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from core.base.allocation_keys import KEYS, PARSERS, as_text
from core.base.errors import UnknownError, UsageError
from core.cli import codes, options
from core.cli.opening import opened, who
from core.cli.output import print_json, print_table, print_text

if TYPE_CHECKING:
    from core.base.views import AllocationView
    from core.service import Service

EXAMPLES = """
allocate
allocate celtic-cross
allocate restaurant-reviews.aspect_summary model=practice-large max_tokens=200
allocate restaurant-reviews.aspect_summary fallback=practice-small,extractive --clear temperature
allocate celtic-cross max_concurrent=3"""
COLUMNS = ("workload", "stage", "key", "value", "from", "instead of")
SAMPLES = {
    "model": ("NAME", "practice-large", "a stage's model"),
    "max_tokens": ("N", "200", "the most tokens that an answer of a stage has"),
    "temperature": ("T", "0.7", "a stage's temperature, 0 to 2"),
    "fallback": ("A,B", "practice-small", "the models that a stage tries next; `none` for none"),
    "max_concurrent": ("N", "4", "a stage's calls in flight"),
}


def register(commands: options.Commands) -> None:
    """Add `allocate`."""
    summary = "which model does which stage"
    parser = options.command(commands, "allocate", run, summary=summary, examples=EXAMPLES)
    parser.add_argument("place", metavar="WORKLOAD[.STAGE]", nargs="?", help="what to show or to change (all)")
    parser.add_argument("values", metavar="KEY=VALUE", nargs="*", type=pair, help=f"of {', '.join(KEYS)}")
    parser.add_argument("--clear", metavar="KEY", action="append", default=[], choices=KEYS, help="take a value back")


def stage_options(parser: argparse.ArgumentParser) -> None:
    """The options that give a stage of one run a value; without one they take it back."""
    for key, (value, _, meaning) in SAMPLES.items():
        option = f"--{key.replace('_', '-')}"
        parser.add_argument(
            option, metavar=f"STAGE={value}", type=stage_value(key), action="append", default=[], help=meaning
        )


def stage_value(key: str) -> Callable[[str], str]:
    """The type of `STAGE=VALUE`."""
    metavar, sample, _ = SAMPLES[key]

    def parse(text: str) -> str:
        stage, separator, value = (word.strip() for word in text.partition("="))
        if not (stage and separator):
            msg = f"{text!r} is not STAGE={metavar}, for example aspect_summary={sample}"
            raise argparse.ArgumentTypeError(msg)
        return f"{stage}={_sound(key, value) if value else ''}"

    return parse


def pair(text: str) -> tuple[str, str]:
    """`KEY=VALUE` as a pair."""
    key, separator, value = (word.strip() for word in text.partition("="))
    if key not in KEYS or not (separator and value):
        msg = f"{text!r} is not KEY=VALUE with a key of {', '.join(KEYS)}"
        raise argparse.ArgumentTypeError(msg)
    return key, _sound(key, value)


def _sound(key: str, value: str) -> str:
    try:
        return as_text(PARSERS[key](value))
    except ValueError as exc:
        msg = f"{key} = {value!r}: {exc}"
        raise argparse.ArgumentTypeError(msg) from None


def run(args: argparse.Namespace) -> int:
    """Change what is told to, then show what holds."""
    with opened(args) as service:
        workload, stage = place(service, args.place or "")
        change(service, workload, stage, args)
        names = [workload] if workload else [w.id for w in service.workloads()]
        views = [view for name in names for view in service.allocations(name) if stage in ("", view.stage)]
    if args.json:
        print_json(views)
    else:
        print_table("", COLUMNS, [row(view) for view in views])
    return codes.OK


def place(service: Service, text: str) -> tuple[str, str]:
    """`WORKLOAD.STAGE` as a pair, '' where one is not told; UnknownError for what there is not."""
    known = {w.id: w for w in service.workloads()}
    workload, _, stage = (text, "", "") if text in known else text.rpartition(".")
    if not text:
        return "", ""
    if workload not in known:
        msg = f"There is no workload {workload or text!r}; there are {', '.join(known)}."
        raise UnknownError(msg)
    stages = [s.id for s in known[workload].stages if s.kind == "llm"]
    if stage and stage not in stages:
        msg = f"There is no model stage {stage!r}; the stages of {workload} are {', '.join(stages)}."
        raise UnknownError(msg)
    return workload, stage


def change(service: Service, workload: str, stage: str, args: argparse.Namespace) -> None:
    """Keep the values and take others back; a running run follows."""
    changes: Sequence[tuple[str, Any]] = [*args.values, *((key, None) for key in args.clear)]
    if changes and not workload:
        msg = "Say whose values these are: allocate WORKLOAD.STAGE KEY=VALUE."
        raise UsageError(msg)
    for key, value in changes:
        service.set_allocation(workload, stage, key, value, who=who())
    if changes and not args.json:
        print_text(f"{workload}{'.' if stage else ''}{stage}: kept; runs under way follow.")


def row(view: AllocationView) -> tuple[str, ...]:
    """A value with what it overrides."""
    beneath = "; ".join(f"{as_text(value) or '-'} ({source})" for value, source in view.overridden)
    return (view.workload, view.stage or "-", view.key, as_text(view.value) or "-", view.source, beneath)
