"""Limits that are found while a run goes on, from the command line."""

from __future__ import annotations

import pytest

from tests.cli.conftest import RESTAURANTS, Core
from tests.cli.model_server import ModelServer

AUTO = ("--llm-limit", "auto", "--llm-max", 6, "--no-progress", "--json")


def test_auto_and_numbers_from_two_processes(core: Core, server: ModelServer) -> None:
    """A run in auto within its ceiling; a number and back to auto from another process; both commands say what was."""
    server.latency = 1.0
    process = core.start("run", "--llm-url", server.url, *AUTO)
    server.wait_for_calls(4)
    changed = core("control", "last", "--llm-limit", 3)
    assert (changed.code, "llm_limit auto (6) -> 3: applied" in changed.out) == (0, True), changed.out + changed.err
    assert core("show", "last", "--json").json["limit_mode"] == {"search": "fixed", "llm": "fixed"}
    back = core("control", "last", "--llm-limit", "auto", "--slo-p95", "30", "--reason", "enough looked at")
    assert back.code == 0, back.err
    server.latency = 0.02
    ended = core.end(process)
    assert (ended.code, ended.json["done"]) == (0, RESTAURANTS)
    assert ended.json["limit_mode"] == {"search": "fixed", "llm": "auto"}
    assert 1 <= ended.json["limit"]["llm"] <= 6
    shown = core("show", "last")
    assert "6 -> 3" in shown.out
    assert "enough looked at" in shown.out
    assert "Auto begins here." in shown.out
    assert core("show", "last", "--json").json["limit_changes"][0]["phase"] == "start"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--llm-limit", 4, "--slo-p95", 2), "An SLO of 2 s needs --llm-limit auto"),
        (("--llm-limit", "auto", "--llm-min", 9, "--llm-max", 8), "floor is 9, above its ceiling of 8"),
        (("--llm-limit", 10_000_000), "ulimit -n"),
        (("--search-limit", "auto", "--search-min", 600), "floor is 600, above its ceiling of 512"),
    ],
)
def test_what_no_run_can_have_is_refused_before_it_begins(
    core: Core, server: ModelServer, args: tuple[object, ...], says: str
) -> None:
    """Exit 2, the value and the way out, and nothing was asked of the server."""
    told = core("run", "--llm-url", server.url, *args)
    assert (told.code, says in told.err) == (2, True), told.err
    assert not server.calls
