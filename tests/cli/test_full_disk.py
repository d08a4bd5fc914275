"""A disk that is full while a run is at work: what the commands say, during and after."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from tests.cli.conftest import RESTAURANTS, Core
from tests.cli.model_server import ModelServer

ROOM = 20_000


def log_of(db: Path) -> int:
    """Bytes of a database's write-ahead log, which grows with every call."""
    return db.with_name(f"{db.name}-wal").stat().st_size


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="the limit is set on a process that runs: Linux only")
def test_a_full_disk_is_a_paused_run_that_says_so(core: Core, server: ModelServer) -> None:
    """`run` ends with 1, its JSON and `show` say paused and why, and resumed, nothing that was paid is paid again."""
    server.latency = 0.1
    process = core.start("run", "--llm-url", server.url, "--llm-limit", 2, "--json")
    server.wait_for_calls(6)
    most = log_of(core.db) + ROOM
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
    ended = core.end(process)
    assert ended.code == 1, ended.err
    assert (ended.json["status"], ended.json["pending"] > 0) == ("paused", True)
    assert "Nothing more can be recorded" in ended.json["reason"]
    assert "Nothing more can be recorded" in ended.err
    assert "--resume" in ended.err

    shown = core("show", "last", "--json").json
    assert (shown["status"], shown["reason"]) == ("paused", ended.json["reason"])
    asked = server.calls
    again = core("run", "--resume", "last", "--llm-url", server.url, "--json").json
    assert (again["status"], again["done"]) == ("finished", RESTAURANTS)
    assert server.calls - asked <= 4 * RESTAURANTS - asked + 2
