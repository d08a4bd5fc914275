"""Files hold one idea, functions do one step, and every exemption says why."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import SOURCES, module_of

LONGEST_FILE = 320
LONGEST_FUNCTION = 40
LONGER = {"core.pipeline.engine:__init__"}  # its parameters are the library's face, each on a line
EXEMPTION = re.compile(r"# (?:noqa: [A-Z0-9, ]+|type: ignore(?:\[[a-z, -]+\])?)(?P<why>.*)$", re.MULTILINE)


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Every function of a file with its length in lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_a_file_holds_one_idea(path: Path) -> None:
    """No file is longer than 320 lines."""
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{module_of(path)} has {lines} lines: split it by idea"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_a_function_does_one_step(path: Path) -> None:
    """No function is longer than 40 lines but those listed with their reason."""
    long = {f"{module_of(path)}:{name}" for name, lines in functions(path) if lines > LONGEST_FUNCTION}
    assert not long - LONGER, f"split by step: {long - LONGER}"


def test_most_functions_are_short() -> None:
    """The median function is under 9 lines, the 90th percentile under 25; nothing is exempted that is short."""
    named = [(f"{module_of(path)}:{name}", lines) for path in SOURCES for name, lines in functions(path)]
    lengths = [lines for _, lines in named]
    assert statistics.median(lengths) < 9
    assert statistics.quantiles(lengths, n=10)[-1] < 25
    assert {name for name, lines in named if lines > LONGEST_FUNCTION} >= LONGER


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_every_exemption_says_why(path: Path) -> None:
    """What a checker is told to overlook has its reason on the same line."""
    bare = [found[0] for found in EXEMPTION.finditer(path.read_text(encoding="utf-8")) if len(found["why"].strip()) < 5]
    assert not bare, f"{module_of(path)}: {bare}"
