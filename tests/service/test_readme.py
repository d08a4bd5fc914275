"""What the documents promise: the example runs, each command parses, every setting is named, every file is there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.base.setting_table import GENERAL, SEARCH, Setting
from core.cli.main import parser

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONFIG = (ROOT / "data" / "brigade.toml").read_text(encoding="utf-8")
DOCUMENTS = {path.relative_to(ROOT).as_posix(): path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]}
COMMAND = re.compile(r"(?:\.venv/bin/)?python -m core\b(.*)")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MADE_LATER = {"data/brigade.db", "data/brigade.index"}  # by the first run
TOP = ("core/", "data/", "docs/", "pages/", "tests/", "bench/", ".streamlit/")


def blocks(language: str) -> Iterator[str]:
    """The fenced blocks of a language."""
    for match in FENCED.finditer(README):
        if match[1] == language:
            yield match[2]


def spans(text: str) -> list[str]:
    """What stands in inline code."""
    return re.findall(r"`([^`\n]+)`", FENCED.sub("", text))


def commands() -> list[str]:
    """What stands after `python -m core` in the README's shell blocks, and in its inline code."""
    lines = [line for language in ("sh", "") for block in blocks(language) for line in block.splitlines()]
    inline = spans(README)
    found = [m[1].split(" #")[0] for text in (*lines, *inline) if (m := COMMAND.search(text))]
    return [text for text in found if "..." not in text and not re.search(r"\s{3}", text.strip())]


def test_the_library_example_runs_as_it_is_written(tmp_path: Path) -> None:
    """The README's python block, run in a folder of its own, prints the reading with its advice."""
    example = next(block for block in blocks("python") if "Engine" in block)
    script = tmp_path / "example.py"
    script.write_text(example, encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    command = [sys.executable, script]
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    name, _, advice = ran.stdout.partition(" -> ")
    assert name == "A reading"
    assert "Hope returns" in advice


@pytest.mark.parametrize("line", commands())
def test_every_command_line_parses(line: str) -> None:
    """Each command of the README is one that the program takes."""
    args = parser().parse_args(shlex.split(line))
    assert callable(args.run_command)


def test_commands_were_found() -> None:
    """The README shows importing, running, steering and exporting: the pattern still finds them."""
    verbs = {line.split()[0] for line in commands()}
    assert {"import", "run", "show", "export", "control", "doctor"} <= verbs


def test_the_overview_names_every_command() -> None:
    """The README's list of commands is the program's own."""
    listing = next(block for block in blocks("") if "import FILE..." in block)
    named = set(re.findall(r"\b[a-z]+\b", listing.replace("python -m core", "").replace("(each with --help)", "")))
    subcommands = next(a for a in parser()._actions if a.dest == "==SUPPRESS==" or getattr(a, "choices", None))
    assert named == set(subcommands.choices or ())


@pytest.mark.parametrize("setting", [*GENERAL, *SEARCH], ids=lambda s: s.name)
def test_every_setting_is_documented(setting: Setting) -> None:
    """A setting's key stands in its table of the shipped configuration file, or its variable in the README."""
    general, _, rest = CONFIG.partition("[search]")
    table = rest.partition("[[endpoint]]")[0] if setting in SEARCH else general
    in_file = re.search(rf"^(# )?{setting.key} = ", table, re.MULTILINE)
    assert in_file or re.search(rf"\b{setting.env}\b", README)


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_no_document_names_a_file_that_is_missing(name: str) -> None:
    """Every path in code or in a link is there, or is made by the first run."""
    path = DOCUMENTS[name]
    text = path.read_text(encoding="utf-8")
    code = [word for span in spans(text) for word in span.split()]
    linked = [link.split("#")[0] for link in re.findall(r"(?<!!)\[[^]]*\]\(([^)\s]+)\)", text) if "://" not in link]
    named = [(ROOT, w.strip(",.;:()")) for w in code if w.startswith(TOP)] + [(path.parent, w) for w in linked if w]
    missing = [w for folder, w in named if w not in MADE_LATER and not list(folder.glob(w))]
    assert missing == []


def test_every_picture_is_there() -> None:
    """What the README shows as a picture is a file of the project."""
    pictures = re.findall(r"!\[[^]]*\]\(([^)\s]+)\)", README)
    assert pictures
    assert [picture for picture in pictures if not (ROOT / picture).is_file()] == []
