"""`forecast`: what a run would do, which settings keep a wish, how many servers millions of items need."""

from __future__ import annotations

import argparse
import re
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from core.base.errors import UsageError
from core.cli import codes, options, planning_words, sentences
from core.cli.opening import opened
from core.cli.output import note, print_json, print_table, print_text

if TYPE_CHECKING:
    from core.service import Service

DAY_S = 86_400.0
UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": DAY_S}
EXAMPLES = """
forecast --items 500 --llm-limit 32
forecast --items all --by 17:00 --budget 20
forecast --items 2000 --within 45m
forecast --items 1e7 --gpus 8 --gpu-hour 2.50
forecast --items 1e7 --days 14
forecast --errors"""
OPTION_COLUMNS = ("#llm", "#search", "models", "#expected", "#at most", "#cost", "#at most", "")
ERROR_COLUMNS = ("run", "#items", "#forecast", "#took", "#off", "#forecast", "#cost", "#off", "")


def register(commands: options.Commands) -> None:
    """Add `forecast`."""
    parser = options.command(
        commands, "forecast", run, summary="what a run would take, before it starts", examples=EXAMPLES
    )
    parser.add_argument("--workload", metavar="NAME", default="restaurant-reviews", help="default: restaurant-reviews")
    parser.add_argument("--items", metavar="N|all|...", default="all", help="any number (1e7), all, id,id,... or @file")
    options.search_side(parser)
    options.model_side(parser)
    wish = parser.add_argument_group("which settings keep a wish")
    wish.add_argument("--by", metavar="HH:MM", type=clock_time, help="done by that time (today, or tomorrow)")
    wish.add_argument("--within", metavar="TIME", type=span, help="done within 90s, 45m, 2h, 3d")
    wish.add_argument("--budget", metavar="USD", type=options.dollars, help="for no more than that")
    scale = parser.add_argument_group("how many servers like the measured ones")
    scale.add_argument(
        "--gpus", metavar="N", type=lambda text: options.whole(text, 1), help="so many servers: how long"
    )
    scale.add_argument("--days", metavar="D", type=days, help="within so many days: how many servers")
    scale.add_argument("--gpu-hour", metavar="USD", type=options.dollars, help="what a server costs an hour")
    parser.add_argument("--errors", action="store_true", help="earlier forecasts against what came of them")


def run(args: argparse.Namespace) -> int:
    """Look ahead; nothing is sent."""
    scaling = args.gpus is not None or args.days is not None
    wishing = args.by is not None or args.within is not None or args.budget is not None
    if (scaling and wishing) or (args.by is not None and args.within is not None):
        msg = "Ask for one thing at a time: --by or --within (with --budget), or --gpus or --days."
        raise UsageError(msg)
    with opened(args) as service:
        if args.errors:
            return errors(args, service)
        if scaling:
            return scale(args, service)
        return plan(args, service) if wishing else forecast(args, service)


def wanted(args: argparse.Namespace) -> dict[str, Any]:
    """What the arguments say of limits and models."""
    limits = {"llm_limit": args.llm_limit, "search_limit": args.search_limit}
    return {**limits, "model": args.llm_model, "stage_models": dict(args.model)}


def items(text: str) -> int | str:
    """A number of items, however large, or a selection."""
    return max(1, int(float(text))) if re.fullmatch(r"\d+(\.\d+)?([eE]\d+)?", text.strip()) else text


def forecast(args: argparse.Namespace, service: Service) -> int:
    """The forecast of one run."""
    told = service.forecast(args.workload, items(args.items), **wanted(args))
    if args.json:
        print_json(told)
        return codes.OK
    print_text(sentences.forecast(told))
    for caveat in told.caveats:
        note(args, planning_words.caveat(caveat))
    return codes.OK


def plan(args: argparse.Namespace, service: Service) -> int:
    """The settings that keep the wishes; exit code 1 where there are none."""
    limits = () if args.llm_limit is None else (args.llm_limit,)
    found = service.plan_for(
        args.workload,
        items(args.items),
        deadline_s=args.within if args.by is None else args.by,
        budget=args.budget,
        llm_limits=limits,
        **{**wanted(args), "llm_limit": None},
    )
    if args.json:
        print_json({**_fields(found), "feasible": bool(found.options)})
    else:
        print_text(planning_words.plan(found))
        if found.options:
            print_table("", OPTION_COLUMNS, [planning_words.option(option) for option in found.options])
    return codes.OK if found.options else codes.FAILED


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def scale(args: argparse.Namespace, service: Service) -> int:
    """How many servers, days and dollars."""
    count = items(args.items)
    number = count if isinstance(count, int) else len(service.item_ids(args.workload))
    told = service.scale(
        args.workload,
        number,
        gpus=args.gpus,
        days=args.days,
        usd_per_gpu_hour=args.gpu_hour,
        **{**wanted(args), "llm_limit": args.llm_limit if isinstance(args.llm_limit, int) else 0},
    )
    if args.json:
        print_json(told)
    elif told is None:
        print_text("Nothing can be told until this workload has run once.")
    else:
        print_text(planning_words.scale(told))
        for caveat in told.caveats:
            note(args, planning_words.caveat(caveat))
    return codes.OK if told is not None else codes.FAILED


def errors(args: argparse.Namespace, service: Service) -> int:
    """Forecasts against finished runs."""
    found = service.forecast_errors(args.workload)
    if args.json:
        print_json(found)
    elif found:
        print_table("", ERROR_COLUMNS, [planning_words.error(error) for error in found])
    else:
        print_text("No finished run of this workload was started with a forecast.")
    return codes.OK


def clock_time(text: str) -> float:
    """Seconds from now until the next time that the clock says HH:MM."""
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", text.strip())
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        msg = f"{text!r} is not a time of day such as 17:00"
        raise argparse.ArgumentTypeError(msg)
    now = time.localtime()
    left = (int(match[1]) - now.tm_hour) * 3600 + (int(match[2]) - now.tm_min) * 60 - now.tm_sec
    return left if left > 0 else left + DAY_S


def span(text: str) -> float:
    """Seconds of `90s`, `45m`, `2h`, `3d`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)", text.strip())
    if not match or not float(match[1]):
        msg = f"{text!r} is not a length of time such as 90s, 45m, 2h or 3d"
        raise argparse.ArgumentTypeError(msg)
    return float(match[1]) * UNITS[match[2]]


def days(text: str) -> float:
    """A number of days above 0."""
    number = options.dollars(text) if re.fullmatch(r"\d+(\.\d+)?", text.strip()) else Decimal(0)
    if not number:
        msg = f"{text!r} is not a number of days such as 14"
        raise argparse.ArgumentTypeError(msg)
    return float(number)
