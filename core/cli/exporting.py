"""`export`: a run's results as a file, or on stdout."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import BrigadeError, UsageError
from core.cli import codes, options
from core.cli.figures import plural
from core.cli.opening import reading
from core.cli.output import note

if TYPE_CHECKING:
    from core.service import Service

FORMATS = ("jsonl", "csv")
LATER = ("parquet", "html")
EXAMPLES = """
export last > results.jsonl
export RUN --format csv --out results.csv"""


def register(commands: options.Commands) -> None:
    """Add `export`."""
    parser = options.command(
        commands, "export", run, summary="write a run's results as JSONL or CSV", examples=EXAMPLES, json=False
    )
    parser.add_argument("run_id", metavar="RUN", help="the run's id; `last` is the newest")
    parser.add_argument("--format", metavar="FORMAT", type=format_name, help="jsonl or csv (by --out's ending; jsonl)")
    parser.add_argument("--out", metavar="FILE", type=Path, default=Path("-"), help="the file; - is stdout (-)")


def format_name(text: str) -> str:
    """A format that can be written."""
    if text in FORMATS:
        return text
    known = "use jsonl or csv"
    msg = f"{text} {options.LATER}; {known}" if text in LATER else f"there is no format {text!r}; {known}"
    raise argparse.ArgumentTypeError(msg)


def run(args: argparse.Namespace) -> int:
    """Write the rows, and say how many."""
    fmt = args.format or format_of(args.out)
    with reading(args) as service:
        count = to_stdout(service, args.run_id, fmt) if str(args.out) == "-" else to_file(service, args, fmt)
    note(args, f"{plural(count, 'result')} written to {'stdout' if str(args.out) == '-' else args.out}")
    return codes.OK


def format_of(out: Path) -> str:
    """The format that a file's ending says; jsonl where it says nothing."""
    ending = out.suffix.lower().removeprefix(".")
    if ending in LATER:
        msg = f"{ending} {options.LATER}; use --format jsonl or csv."
        raise UsageError(msg)
    return ending if ending in FORMATS else "jsonl"


def to_stdout(service: Service, run_id: str, fmt: str) -> int:
    """The rows on stdout; how many."""
    if sys.stdout is None:
        msg = "stdout is closed; name a file with --out."
        raise UsageError(msg)
    count = service.export(run_id, fmt, sys.stdout.buffer)
    sys.stdout.flush()
    return count


def to_file(service: Service, args: argparse.Namespace, fmt: str) -> int:
    """The rows in a file that is there complete or not at all; how many."""
    out: Path = args.out
    part = out.with_name(f"{out.name}.part")
    try:
        with part.open("wb") as file:
            count = service.export(args.run_id, fmt, file)
        part.replace(out)
    except OSError as exc:
        part.unlink(missing_ok=True)
        msg = f"{out} cannot be written ({exc.strerror or exc}); choose another --out."
        raise UsageError(msg) from exc
    except BrigadeError:
        part.unlink(missing_ok=True)
        raise
    return count
