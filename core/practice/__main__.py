"""`python -m core.practice --preset NAME --port N [--set NAME=VALUE ...]`: a practice server until a signal."""

from __future__ import annotations

import argparse
import json
import sys

from core.base.errors import BrigadeError
from core.practice.presets import PRESETS
from core.practice.running import serve


def main() -> int:
    """Serve; the address is printed on stdout when the server is ready."""
    asked = _arguments()

    def ready(port: int) -> None:
        sys.stdout.write(f"practice server at http://{asked.host}:{port}/v1, preset {asked.preset}: simulated speed\n")
        sys.stdout.flush()

    try:
        serve(asked.preset, asked.host, asked.port, ready=ready, with_parent=asked.with_parent, **dict(asked.set))
    except BrigadeError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m core.practice", description=__doc__)
    parser.add_argument("--preset", default="single-gpu-8b", help=f"one of {', '.join(PRESETS)}")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--set", action="append", default=[], type=_pair, metavar="NAME=VALUE", help="change a number")
    parser.add_argument("--with-parent", action="store_true", help="stop when stdin ends")
    return parser.parse_args()


def _pair(text: str) -> tuple[str, object]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, None if value == "None" else value


if __name__ == "__main__":
    sys.exit(main())
