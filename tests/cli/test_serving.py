"""`serve`, `practice` and `doctor`: what listens, and what is tried."""

from __future__ import annotations

import json
import signal
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.cli.conftest import Core
from tests.cli.model_server import ModelServer


def fetch(url: str, seconds: float = 40.0) -> str:
    """The body at an address, once somebody listens there."""
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < until, f"nobody at {url}"
            time.sleep(0.1)


def test_serve_takes_the_next_free_port(core: Core) -> None:
    """A taken port is told, the dashboard comes up on the next one, on this machine's address only."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = core.start("serve", "--port", port, "--no-browser")
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(2)]
        try:
            assert f"Port {port} is taken" in said[0]
            url = said[1].split()[-1]
            assert url.startswith("http://127.0.0.1:")
            assert fetch(f"{url}/_stcore/health") == "ok"
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)


def test_practice_serves_and_says_that_it_simulates(core: Core) -> None:
    """It prints its address when it is ready, lists its models, and ends with SIGTERM."""
    process = core.start("practice", "--preset", "zero", "--port", 0, "--json")
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    assert told["simulated"] is True
    assert "practice-small" in fetch(f"{told['url']}/models")
    process.send_signal(signal.SIGTERM)
    ended = core.end(process)
    assert ended.code == 0
    assert "simulated" in ended.err


def test_practice_lists_its_presets(core: Core) -> None:
    """`--list` serves nothing."""
    assert "single-gpu-8b" in [row["preset"] for row in core("practice", "--list", "--json").json]


def test_the_doctor_tries_everything(core: Core, server: ModelServer) -> None:
    """Database, workloads, index and endpoints are all well, and every setting tells where it comes from."""
    told = core("doctor", "--json", "--llm-url", server.url)
    assert told.code == 0, told.out
    checks = {check["name"]: check for check in told.json["checks"]}
    assert checks["database"]["state"] == "ok"
    assert "test-model" in checks["endpoint cli (default)"]["detail"]
    assert checks["search index"]["state"] == "ok"
    sources = {row["name"]: row["source"] for row in told.json["settings"]}
    assert sources["db"] == "command line --db"
    assert sources["search.embedder"] == "environment BRIGADE_EMBEDDER"


def test_the_doctor_says_what_is_broken(empty: Core, tmp_path: Path) -> None:
    """A dead server is a problem with exit 1; keys are shown by name only; looking makes no database."""
    told = empty("doctor", "--llm-url", "http://127.0.0.1:9/v1", BRIGADE_LLM_API_KEY="canary-1234")
    assert told.code == 1
    assert "problem" in told.out
    assert "127.0.0.1:9" in told.out
    assert "BRIGADE_LLM_API_KEY" in told.out
    assert "canary-1234" not in told.out + told.err
    assert not empty.db.exists()
