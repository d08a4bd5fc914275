"""Commands from a second process, signals, kills: a run outlives whoever started it."""

from __future__ import annotations

import signal
import sqlite3
import time

import pytest

from tests.cli.conftest import RESTAURANTS, Core
from tests.cli.model_server import ModelServer

CALLS = RESTAURANTS * 4
SLOW = ("--llm-limit", 2, "--no-progress", "--json")


def obeyed_after(core: Core) -> list[float]:
    """Seconds between each command's row and its being obeyed."""
    with sqlite3.connect(core.db) as db:
        return [b - a for a, b in db.execute("SELECT at, applied_at FROM controls ORDER BY id")]


def test_a_second_process_steers_the_run(core: Core, server: ModelServer) -> None:
    """A limit, a pause and a resume sent by other processes are obeyed within 250 ms while the run goes on."""
    server.latency = 0.3
    process = core.start("run", "--llm-url", server.url, *SLOW)
    server.wait_for_calls(2)
    paused = core("control", "last", "--pause", "--reason", "look first", "--json")
    assert paused.code == 0, paused.err
    assert paused.json[0]["outcome"] == "applied"
    assert core("show", "last", "--json").json["status"] == "paused"
    assert process.poll() is None, "a run that an operator paused is waited for"
    server.latency = 0.05
    changed = core("control", "last", "--llm-limit", 9, "--resume")
    assert changed.code == 0, changed.err
    assert "llm_limit 2 -> 9: applied" in changed.out
    ended = core.end(process)
    assert (ended.code, ended.json["done"], ended.json["limit"]["llm"]) == (0, RESTAURANTS, 9)
    assert ended.json["peak"]["llm"] > 2
    assert max(obeyed_after(core)) < 0.25


def test_cancelled_from_elsewhere(core: Core, server: ModelServer) -> None:
    """A cancelled run ends its command with 130 and takes no further commands."""
    server.latency = 0.5
    process = core.start("run", "--llm-url", server.url, *SLOW)
    server.wait_for_calls(2)
    locked = core("search", "--items", 1)
    assert locked.code == 1
    assert "index" in locked.err
    assert core("control", "last", "--cancel").code == 0
    ended = core.end(process)
    assert (ended.code, ended.json["status"]) == (130, "cancelled")
    refused = core("control", "last", "--pause")
    assert refused.code == 1
    assert "cancelled" in refused.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_the_run_resumes(core: Core, server: ModelServer, number: signal.Signals) -> None:
    """What is in flight finishes, the rest stays pending, the exit is 130 and the printed command finishes the run."""
    server.latency = 0.3
    process = core.start("run", "--llm-url", server.url, *SLOW)
    server.wait_for_calls(4)
    process.send_signal(number)
    ended = core.end(process)
    assert ended.code == 130, ended.err
    told = ended.json
    assert told["status"] == "interrupted"
    assert told["pending"] > 0
    assert told["calls"]["llm"] == server.calls, "every call that was sent has been waited for"
    assert f"resume with: python -m core run --resume {told['run_id']}" in ended.err
    server.latency = 0.0
    again = core("run", "--resume", told["run_id"], "--json")
    assert (again.code, again.json["done"]) == (0, RESTAURANTS)
    assert server.calls == CALLS, "nothing was done twice"


def test_a_second_signal_stops_at_once(core: Core, server: ModelServer) -> None:
    """The second Ctrl-C does not wait for a call that hangs."""
    server.latency = 30.0
    process = core.start("run", "--llm-url", server.url, *SLOW)
    server.wait_for_calls(2)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    ended = core.end(process)
    assert ended.code == 130, ended.err
    assert ended.json["status"] == "interrupted"
    assert time.monotonic() - began < 10


def test_a_killed_run_resumes(core: Core, server: ModelServer) -> None:
    """After kill -9 the run shows as crashed, and resuming repeats only what was in flight."""
    server.latency = 0.1
    process = core.start("run", "--llm-url", server.url, *SLOW)
    server.wait_for_calls(10)
    process.kill()
    process.communicate()
    shown = core("runs", "--json").json[0]
    assert shown["status"] == "crashed"
    nobody = core("control", "last", "--resume")
    assert nobody.code == 1
    assert f"run --resume {shown['run_id']}" in nobody.err
    server.latency = 0.0
    again = core("run", "--resume", "last", "--json")
    assert (again.code, again.json["done"], again.json["failed"]) == (0, RESTAURANTS, 0)
    assert CALLS <= server.calls <= CALLS + 2
