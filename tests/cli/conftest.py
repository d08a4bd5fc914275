"""A small imported database per test, the command line as processes, and a model server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.model_server import ModelServer, serving

ROOT = Path(__file__).resolve().parents[2]
RESTAURANTS = 12
ASPECTS = ("Service was quick and friendly.", "Fair prices for what you get.", "The noodles tasted wonderful.")


def environment(**more: str) -> dict[str, str]:
    """This environment without what could change the settings, and with the quick embedder."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("BRIGADE_", "OPENAI_", "QDRANT_", "ANTHROPIC_"))}
    return {**kept, "BRIGADE_EMBEDDER": "hash", **more}


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Core:
    """`python -m core` on one database."""

    def __init__(self, db: Path) -> None:
        self.db = db

    def start(self, *args: object, **env: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "core", *map(str, args), "--db", str(self.db)]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=ROOT, env=environment(**env), stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
        )

    def end(self, process: subprocess.Popen[str], timeout: float = 60.0) -> Ended:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            pytest.fail(f"still running after {timeout} s\n{out}\n{err}")
        return Ended(process.returncode, out, err)

    def __call__(self, *args: object, **env: str) -> Ended:
        return self.end(self.start(*args, **env))


def reviews(path: Path, restaurants: int = RESTAURANTS, each: int = 3) -> Path:
    """A JSONL file of reviews."""
    with path.open("w", encoding="utf-8") as file:
        for r in range(restaurants):
            for n in range(each):
                text = f"{ASPECTS[n % 3]} Visit {n} to place {r}."
                row = {"restaurant_id": f"r{r:02}", "restaurant_name": f"Place {r}", "review_id": f"v{n}", "text": text}
                file.write(json.dumps(row) + "\n")
    return path


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """A folder with an imported database, and what the import said."""
    folder = tmp_path_factory.mktemp("imported")
    file = reviews(folder / "reviews.jsonl")
    with file.open("a", encoding="utf-8") as more:
        more.write('{"restaurant_id": "r00", "review_id": "bad"}\nnot json\n')
    home = folder / "db"
    home.mkdir()
    return home, Core(home / "b.db")("import", file, "--json")


def copied(imported: tuple[Path, Ended], folder: Path) -> Core:
    """The command line on a copy of the imported database, without the space it reserves for a full disk."""
    shutil.copytree(imported[0], folder / "db", ignore=shutil.ignore_patterns("*.ballast"))
    return Core(folder / "db" / "b.db")


@pytest.fixture
def core(imported: tuple[Path, Ended], tmp_path: Path) -> Core:
    """The command line on a copy of the imported database."""
    return copied(imported, tmp_path)


@pytest.fixture(scope="module")
def shared(imported: tuple[Path, Ended], tmp_path_factory: pytest.TempPathFactory) -> Core:
    """The same for tests of a module that leave it as it is."""
    return copied(imported, tmp_path_factory.mktemp("shared"))


@pytest.fixture
def empty(tmp_path: Path) -> Core:
    """The command line on a database that is not there yet."""
    return Core(tmp_path / "new.db")


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving() as running:
        yield running
