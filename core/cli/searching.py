"""`search`: only the evidence, one JSON line per item and part."""

from __future__ import annotations

import argparse

from core.cli import codes, options, streams
from core.cli.opening import opened
from core.cli.output import note, print_json
from core.cli.signals import Stop

EXAMPLES = """
search --items r-001,r-002
search --items all --search-limit 16 > evidence.jsonl
search --items @ids.txt --qdrant-url http://127.0.0.1:6333 --collection reviews"""


def register(commands: options.Commands) -> None:
    """Add `search`."""
    parser = options.command(
        commands, "search", run, summary="find the evidence of items, without a run", examples=EXAMPLES
    )
    options.selection(parser)
    options.search_side(parser)


def run(args: argparse.Namespace) -> int:
    """Search item after item; the lines stand in the items' order."""
    with Stop(), opened(args) as service:
        if service.store.catalogue.count(service.workload(args.workload).item_kind) == 0:
            note(args, "Nothing has been imported yet: registering the sample items.")
        for found in service.search(args.workload, args.items, search_limit=args.search_limit):
            ranked = [{"review_id": e.review_id, "text": e.text, "score": round(e.score, 6)} for e in found.ranked]
            print_json({"item_id": found.item_id, "part": found.part, "ranked": ranked})
        streams.flush()
    return codes.OK
