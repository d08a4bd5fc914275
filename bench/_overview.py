"""Run benches one after the other and end with a line for each figure that must hold: must, measured, verdict.

    python bench/_overview.py [NAME ...]

A bench prints one JSON object a line; `must` in it names figures (`a.b` is b within a) and what they must be:
">= 0.95", "<= 1.15", or a number, which is the most. Exit status 1 when one does not hold or a bench fails.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Line:
    """One figure of one bench."""

    bench: str
    figure: str
    must: str
    measured: str
    holds: bool

    def __str__(self) -> str:
        verdict = "ok" if self.holds else "NOT MET"
        return f"{self.bench:<12} {self.figure:<32} {self.must:>10} {self.measured:>10}  {verdict}"


def find(figures: Mapping[str, Any], path: str) -> float | None:
    """The figure of that name, None where there is none."""
    if path in figures:
        return None if figures[path] is None else float(figures[path])
    head, dot, rest = path.partition(".")
    inner = figures.get(head)
    return find(inner, rest) if dot and isinstance(inner, Mapping) else None


def judge(bench: str, path: str, must: str | float, measured: float | None) -> Line:
    """Whether the figure is what it must be."""
    sign, _, text = must.partition(" ") if isinstance(must, str) else ("<=", "", str(must))
    limit = float(text)
    holds = measured is not None and (measured >= limit if sign == ">=" else measured <= limit)
    return Line(bench, path, f"{sign} {limit:g}", "none" if measured is None else f"{measured:g}", holds)


def lines(output: str) -> Iterator[Line]:
    """What the JSON lines of a bench say must hold."""
    for text in output.splitlines():
        if text.startswith("{"):
            figures = json.loads(text)
            for path, must in figures.get("must", {}).items():
                yield judge(figures["bench"], path, must, find(figures, path))


def run(path: Path) -> list[Line]:
    """Run a bench, showing what it prints."""
    sys.stdout.write(f"== {path.stem}, load {os.getloadavg()[0]:.1f}\n")
    sys.stdout.flush()
    done = subprocess.run([sys.executable, str(path)], check=False, stdout=subprocess.PIPE, text=True)
    sys.stdout.write(done.stdout)
    found = [*lines(done.stdout)]
    return found if done.returncode == 0 else [*found, Line(path.stem, "its end", "reached", "failed", holds=False)]


def main() -> int:
    """All, or those named."""
    names = sys.argv[1:] or sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))
    found = [line for name in names for line in run(FOLDER / f"{name}.py")]
    header = f"{'bench':<12} {'figure':<32} {'must':>10} {'measured':>10}"
    sys.stdout.write("\n".join(["", header, *map(str, found), ""]))
    return 0 if all(line.holds for line in found) else 1


if __name__ == "__main__":
    sys.exit(main())
