"""`import`: reviews, restaurants or a workload's items from files."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.base.errors import UsageError
from core.cli import codes, options
from core.cli.figures import plural, seconds
from core.cli.opening import opened
from core.cli.output import note, print_json, print_text
from core.cli.progress import Meter, meter
from core.cli.signals import Stop

if TYPE_CHECKING:
    from core.intake import ImportProgress, ImportReport
    from core.service import Service

BAD_SHOWN = 20
BATCH = 500
EXAMPLES = """
import reviews.csv more.parquet
import reviews.jsonl --qdrant-url http://127.0.0.1:6333
import restaurants.csv --restaurants-only
import readings.jsonl --workload celtic-cross"""


def register(commands: options.Commands) -> None:
    """Add `import`."""
    parser = options.command(
        commands, "import", run, summary="take in reviews or items from CSV, JSONL or Parquet", examples=EXAMPLES
    )
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="CSV, JSONL or Parquet")
    parser.add_argument("--restaurants-only", action="store_true", help="items whose reviews are already in Qdrant")
    parser.add_argument("--workload", metavar="NAME", help="the file holds items of this workload (JSONL)")
    parser.add_argument("--qdrant-url", metavar="URL", help="index into a Qdrant server instead of the embedded index")
    parser.add_argument("--collection", metavar="NAME", help="the Qdrant collection (reviews)")
    parser.add_argument("--no-progress", action="store_true", help="no live progress")


def run(args: argparse.Namespace) -> int:
    """Import file after file; a file that cannot be read ends the command."""
    with Stop() as stop, opened(args) as service:
        stop.gently()
        take = _taker(args, service, stop.asked)
        for path in readable(args.files):
            told = take(path)
            print_json(told) if args.json else say(args, told)
            if stop.asked.is_set():
                note(args, "stopped: what was imported stays; the same command goes on with the rest")
                return codes.INTERRUPTED
    return codes.OK


def readable(files: list[Path]) -> list[Path]:
    """The files, all of them there: nothing is imported when one name is mistyped."""
    for path in files:
        if not path.exists():
            msg = f"{path} does not exist (looked in {Path.cwd()}): check the path."
            raise UsageError(msg)
    return files


def _taker(args: argparse.Namespace, service: Service, stop: threading.Event) -> Callable[[Path], Mapping[str, Any]]:
    """How this command takes in a file: as rows of reviews, or as items of a workload that has none."""
    if args.workload is not None:
        kind = service.workload(args.workload).item_kind
        if kind != "restaurant":
            return lambda path: items(service, path, kind, stop)
    return lambda path: reviews(args, service, path, stop)


def reviews(args: argparse.Namespace, service: Service, path: Path, stop: threading.Event) -> dict[str, Any]:
    """Import one file of reviews or restaurants; its report."""
    show = meter(args, path.name)
    try:
        told: ImportReport = service.import_file(
            path, progress=lambda at: _tell(show, at), restaurants_only=args.restaurants_only, stop=stop
        )
    finally:
        show.close()
    counts = ("rows", "imported", "unchanged", "duplicates", "bad_count", "restaurants", "sentences")
    bad = [{"line": line, "why": why} for line, why in told.bad[:BAD_SHOWN]]
    return {
        "file": str(path),
        **{name: getattr(told, name) for name in counts},
        "bad": bad,
        "seconds": round(told.seconds, 3),
        "stopped": told.stopped,
    }


def _tell(show: Meter, at: ImportProgress) -> None:
    text = f"{at.phase}: {at.rows:,} rows, {at.imported:,} imported, {at.indexed:,} indexed"
    show.tell(at.bytes_done, at.bytes_total, f"{text}, {at.bad:,} bad" if at.bad else text)


def items(service: Service, path: Path, kind: str, stop: threading.Event) -> dict[str, Any]:
    """Register a workload's items from JSONL; its report."""
    from core.base.item_files import read_items

    bad: list[str] = []
    count, batch = 0, []
    for item in read_items(path, kind, on_error=bad.append):
        batch.append(item)
        if len(batch) >= BATCH:
            service.store.catalogue.put_items(batch)
            count, batch = count + len(batch), []
        if stop.is_set():
            break
    service.store.catalogue.put_items(batch)
    return {
        "file": str(path),
        "items": count + len(batch),
        "bad_count": len(bad),
        "bad": [_bad_item(path, text) for text in bad[:BAD_SHOWN]],
        "stopped": stop.is_set(),
    }


def _bad_item(path: Path, text: str) -> dict[str, Any]:
    """`path:line: why` as its two parts."""
    line, _, why = text.removeprefix(f"{path}:").partition(": ")
    return {"line": int(line), "why": why}


def say(args: argparse.Namespace, told: Mapping[str, Any]) -> None:
    """The report for people: counts on stdout, bad rows on stderr."""
    print_text(f"{told['file']}: {_counts(told)}")
    for bad in told["bad"]:
        note(args, f"{told['file']}:{bad['line']}: {bad['why']}")
    if told["bad_count"] > len(told["bad"]):
        note(args, f"... and {plural(told['bad_count'] - len(told['bad']), 'more bad row')}")


def _counts(told: Mapping[str, Any]) -> str:
    bad = plural(told["bad_count"], "bad row")
    if "items" in told:
        return f"{plural(told['items'], 'item')} registered, {bad}"
    return (
        f"{told['imported']:,} imported, {told['unchanged']:,} unchanged, {plural(told['duplicates'], 'duplicate')}, "
        f"{bad} of {plural(told['rows'], 'row')}; {plural(told['restaurants'], 'restaurant')}, "
        f"{plural(told['sentences'], 'sentence')} indexed in {seconds(told['seconds'])}"
    )
