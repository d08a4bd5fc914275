"""What goes wrong is one line with the value and the way out, and the right code."""

from __future__ import annotations

import logging
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.cli.main import main
from core.service import Service
from tests.cli.conftest import ROOT, Core, environment

Try = Callable[..., tuple[int, str, str]]


@pytest.fixture
def attempt(shared: Core, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Try]:
    """Run a command in this process, on a copy of the imported database that stays without runs."""
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    for name in ("BRIGADE_DB", "OPENAI_API_KEY", "OPENAI_BASE_URL", "QDRANT_URL"):
        monkeypatch.delenv(name, raising=False)
    handlers = list(logging.getLogger().handlers)
    monkeypatch.setattr("threading.excepthook", logging.raiseExceptions and sys.excepthook)

    def run(*args: object, db: Path = shared.db) -> tuple[int, str, str]:
        code = main([*map(str, args), "--db", str(db)])
        told = capsys.readouterr()
        return code, told.out, told.err

    yield run
    logging.raiseExceptions = True
    for handler in set(logging.getLogger().handlers) - set(handlers):
        logging.getLogger().removeHandler(handler)
        handler.close()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ("import /no/such.csv", 2, ["/no/such.csv does not exist"]),
        ("run --items r99", 2, ["'r99'", "import"]),
        ("run --items 0", 2, ["0 items"]),
        ("run --items @/no/ids", 2, ["/no/ids"]),
        ("run --workload lunch", 2, ["'lunch'", "restaurant-reviews"]),
        ("run --llm-model gpt-99", 2, ["'gpt-99'", "extractive"]),
        ("run --llm-url ftp://x", 2, ["ftp://x", "http://"]),
        ("run --config /no/such.toml", 2, ["/no/such.toml"]),
        ("run --resume nope", 2, ["no run 'nope'"]),
        ("run --resume last --dry-run", 2, ["--dry-run", "goes with a new run only"]),
        ("show nope", 2, ["no run 'nope'"]),
        ("export nope", 2, ["no run 'nope'"]),
        ("export nope --out x.html", 2, ["html is not available yet"]),
        ("control nope --pause", 2, ["no run 'nope'"]),
        ("control last", 2, ["Nothing to do", "--llm-limit"]),
        ("search --items r99", 2, ["'r99'"]),
        ("search --workload horoscope --items all", 2, ["no search stage"]),
        ("practice --preset none", 2, ["'none'", "single-gpu-8b"]),
    ],
)
def test_a_wrong_value_is_named_with_the_way_out(attempt: Try, args: str, code: int, words: list[str]) -> None:
    """Each kind of unknown thing has its message and its code; nothing goes to stdout."""
    left, out, err = attempt(*args.split())
    assert (left, out) == (code, "")
    assert err.splitlines()[-1].startswith("brigade: ")
    for word in words:
        assert word in err


def test_a_dead_server_is_found_before_anything_is_written(attempt: Try) -> None:
    """An unreachable --llm-url is exit 1 with its address, and leaves no run."""
    url = f"http://127.0.0.1:{closed_port()}"
    code, out, err = attempt("run", "--items", 2, "--llm-url", f"{url}/v1")
    assert (code, out) == (1, "")
    assert url in err
    assert attempt("runs", "--json")[1].strip() == "[]"


def test_a_wrong_qdrant_url_is_found_before_anything_is_written(attempt: Try) -> None:
    """An unreachable --qdrant-url is exit 1 with its address, and leaves no run."""
    url = f"http://127.0.0.1:{closed_port()}"
    code, out, err = attempt("run", "--items", 2, "--llm-model", "extractive", "--qdrant-url", url)
    assert (code, out) == (1, "")
    assert url in err
    assert attempt("runs", "--json")[1].strip() == "[]"


def test_a_database_of_a_newer_version_is_left_alone(attempt: Try, core: Core) -> None:
    """Both versions are named and the code is 2."""
    with sqlite3.connect(core.db) as db:
        db.execute("PRAGMA user_version = 999")
    code, _, err = attempt("runs", db=core.db)
    assert code == 2
    assert "999" in err


def test_what_is_no_database_is_left_alone(attempt: Try, tmp_path: Path) -> None:
    """A text file given as --db is refused, and stays what it was."""
    file = tmp_path / "notes.db"
    file.write_text("my notes, much longer than a header would be\n" * 100)
    code, _, err = attempt("runs", db=file)
    assert code == 1
    assert "not a Brigade database" in err
    assert file.read_text().startswith("my notes")


def test_what_a_finished_run_cannot_do(attempt: Try, core: Core, tmp_path: Path) -> None:
    """An unwritable --out and an unknown item are exit 2; a command to a run that has ended is exit 1."""
    assert attempt("run", "--items", 1, "--llm-model", "extractive", "--quiet", db=core.db)[0] == 0
    out = tmp_path / "missing" / "x.csv"
    code, _, err = attempt("export", "last", "--out", out, db=core.db)
    assert code == 2
    assert str(out) in err
    code, _, err = attempt("show", "last", "--item", "nobody", db=core.db)
    assert code == 2
    assert "'nobody'" in err
    code, _, err = attempt("control", "last", "--llm-limit", 3, db=core.db)
    assert code == 1
    assert "finished" in err


def test_an_unexpected_error_is_one_line(attempt: Try, shared: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback goes to the log beside the database, or to stderr with --debug; never there by itself."""

    def break_down(*_: object, **__: object) -> None:
        raise KeyError("the oven")

    monkeypatch.setattr(Service, "runs", break_down)
    code, out, err = attempt("runs")
    log = shared.db.parent / "logs" / "brigade.log"
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert f"unexpected KeyError: 'the oven' (the traceback is in {log})" in err
    assert "Traceback" in log.read_text()
    assert "Traceback" in attempt("runs", "--debug")[2]


def test_a_reader_that_leaves_is_no_error(core: Core) -> None:
    """`... | head` ends without a word."""
    process = core.start("search", "--items", "all")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(60), err) == (0, "")


def test_a_closed_stdout_is_no_error(core: Core) -> None:
    """With stdout closed the command works, and no file of ours gets its descriptor."""
    command = f'exec "{sys.executable}" -m core runs --db "{core.db}" >&-'
    told = subprocess.run(
        ["sh", "-c", command], check=False, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert (told.returncode, told.stderr) == (0, "")
