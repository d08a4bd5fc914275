"""`run --reuse`, `--only-stage` and `--only-failed` as processes."""

from __future__ import annotations

import pytest

from core.cli.main import main
from tests.cli.conftest import RESTAURANTS, Core
from tests.cli.model_server import ModelServer

FEW = ("--llm-limit", 8, "--json")


def test_a_run_like_the_last_does_only_what_is_asked(core: Core, server: ModelServer) -> None:
    """The totals of two restaurants anew: two calls to the same server, everything else is taken over."""
    assert core("run", "--llm-url", server.url, *FEW).code == 0
    calls = server.calls
    assert calls == 4 * RESTAURANTS
    told = core("run", "--reuse", "last", "--items", 2, "--only-stage", "total_summary", *FEW).json
    assert (told["done"], told["calls"], server.calls - calls) == (2, {"search": 0, "llm": 2}, 2)
    assert told["reused"] == 2 * 6


def test_only_the_failed_items_are_chosen(core: Core, server: ModelServer) -> None:
    """A restaurant that failed is done in a run of its own, with its searches taken over."""
    server.broken = "Place 7"
    failed = core("run", "--llm-url", server.url, *FEW)
    assert (failed.code, failed.json["failed"]) == (3, 1)
    server.broken = None
    told = core("run", "--reuse", "last", "--only-failed", *FEW)
    assert (told.code, told.json["selected"], told.json["done"]) == (0, 1, 1)
    assert told.json["calls"]["search"] == 0
    again = core("run", "--reuse", "last", "--only-failed", *FEW)
    assert again.code == 1
    assert "no failed item" in again.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only-failed"], "--reuse RUN or --resume RUN"),
        (["--reuse", "a", "--resume", "b"], "give one of them"),
        (["--reuse", "a", "--dry-run"], "goes with a new run only"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and a sentence that says which and why."""
    assert main(["run", *words]) == 2
    assert said in capsys.readouterr().err


def test_the_cache_is_used_told_of_and_cleared(core: Core, server: ModelServer) -> None:
    """Two runs with --cache are one run's calls; `cache` counts them, and `--clear` forgets them."""
    assert core("run", "--llm-url", server.url, "--cache", *FEW).json["cached"] == 0
    calls = server.calls
    assert core("run", "--llm-url", server.url, "--cache", *FEW).json["cached"] == calls == 4 * RESTAURANTS
    assert server.calls == calls
    assert core("cache", "--json").json["answers"] == calls
    assert core("cache", "--clear").out == f"{calls} answers forgotten.\n"
