"""Options that several commands share, and the types that say what is wrong with a value."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from core.cli import codes

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction["Parser"]

Run = Callable[[argparse.Namespace], int]
DEFAULT_WORKLOAD = "restaurant-reviews"
LATER = "is not available yet"
AUTO = "auto"
LONGEST_SLO_S = 3600.0


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviated options and keeps the line breaks of its examples."""

    def __init__(self, **options: object) -> None:
        settings = {"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter, **options}
        super().__init__(**settings)  # type: ignore[arg-type]  # argparse's own keywords

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and where to read on, without a screenful of usage."""
        self.exit(codes.USAGE, f"brigade: {message}\nsee: {self.prog} --help\n")


def command(commands: Commands, name: str, run: Run, *, summary: str, examples: str, json: bool = True) -> Parser:
    """Add a command with the options that go with each; its examples stand at the end of its help."""
    shown = "\n".join(f"  python -m core {line}" for line in examples.strip().splitlines())
    parser: Parser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", epilog=f"examples:\n{shown}"
    )
    parser.set_defaults(run_command=run)
    common(parser, default=argparse.SUPPRESS)
    if json:
        parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    return parser


def common(parser: argparse.ArgumentParser, default: object = None) -> None:
    """The options that go with each command, before its name or after it."""
    group = parser.add_argument_group("everywhere")
    group.add_argument("--db", metavar="PATH", type=Path, default=default, help="the database (data/brigade.db)")
    group.add_argument("--config", metavar="PATH", type=Path, default=default, help="settings (data/brigade.toml)")
    group.add_argument("--quiet", action="store_true", default=default, help="say nothing on stderr but errors")
    group.add_argument("--debug", action="store_true", default=default, help="show the traceback of an error")


def selection(parser: argparse.ArgumentParser) -> None:
    """Which workload, over which items."""
    parser.add_argument("--workload", metavar="NAME", default=DEFAULT_WORKLOAD, help=f"default: {DEFAULT_WORKLOAD}")
    parser.add_argument(
        "--items", metavar="WHICH", default="all", help="all, a number (the first N), id,id,... or @file of ids (all)"
    )


def search_side(parser: argparse.ArgumentParser) -> None:
    """Where evidence comes from, and how many searches run at once."""
    parser.add_argument("--search-limit", metavar="N|auto", type=limit, help="searches in flight")
    parser.add_argument("--qdrant-url", metavar="URL", help="search a Qdrant server instead of the embedded index")
    parser.add_argument("--collection", metavar="NAME", help="the Qdrant collection (reviews)")


def model_side(parser: argparse.ArgumentParser) -> None:
    """Which models answer, and how many calls run at once."""
    parser.add_argument("--llm-limit", metavar="N|auto", type=limit, help="model calls in flight")
    parser.add_argument("--llm-url", metavar="URL", help="an OpenAI-compatible API base, e.g. http://host:8000/v1")
    parser.add_argument("--llm-model", metavar="NAME", help="the model of every stage that names none")
    parser.add_argument(
        "--model", metavar="STAGE=NAME", type=stage_model, action="append", default=[], help="one stage's model"
    )


def auto_side(parser: argparse.ArgumentParser) -> None:
    """What a limit that is found while the run goes on stays within."""
    group = parser.add_argument_group("with auto")
    for name, calls in (("llm", "model calls"), ("search", "searches")):
        group.add_argument(f"--{name}-min", metavar="N", type=count, help=f"the least that it tries for {calls} (1)")
        group.add_argument(f"--{name}-max", metavar="N", type=count, help=f"the most that it tries for {calls} (512)")
    group.add_argument("--slo-p95", metavar="S", type=slo, help="seconds that 95 %% of the model calls are to keep to")


def limit(text: str) -> int | str:
    """A whole number of at least 1, or `auto`."""
    if text.strip().lower() == AUTO:
        return AUTO
    try:
        return whole(text, 1)
    except argparse.ArgumentTypeError as error:
        msg = f"{error}, nor {AUTO}"
        raise argparse.ArgumentTypeError(msg) from None


def count(text: str) -> int:
    """A whole number of at least 1."""
    return whole(text, 1)


def slo(text: str) -> float:
    """Seconds of a latency target."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_SLO_S:
        msg = f"{text!r} is not a latency target in seconds, for example 2.5"
        raise argparse.ArgumentTypeError(msg)
    return seconds


def whole(text: str, least: int = 0) -> int:
    """A whole number that is not too small."""
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        msg = f"{text!r} is not a whole number of at least {least}"
        raise argparse.ArgumentTypeError(msg)
    return number


def port(text: str) -> int:
    """A TCP port; 0 lets the system choose."""
    number = whole(text)
    if number > 65535:
        msg = f"{text!r} is not a port; ports go from 0 (any free one) to 65535"
        raise argparse.ArgumentTypeError(msg)
    return number


def dollars(text: str) -> Decimal:
    """An amount in US dollars."""
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        msg = f"{text!r} is not an amount in US dollars, for example 2.50"
        raise argparse.ArgumentTypeError(msg)
    return amount


def stage_model(text: str) -> tuple[str, str]:
    """`STAGE=NAME` as a pair."""
    stage, _, model = (part.strip() for part in text.partition("="))
    if not (stage and model):
        msg = f"{text!r} is not STAGE=NAME, for example aspect_summary=practice-large"
        raise argparse.ArgumentTypeError(msg)
    return stage, model


def names(text: str) -> list[str]:
    """Names with commas between them."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        msg = f"{text!r} names nothing; write one name or several with commas between them"
        raise argparse.ArgumentTypeError(msg)
    return found
