"""What the doctor says of endpoints: what they serve, how quickly, and what to do where they don't."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cli.conftest import ROOT, Core
from tests.cli.model_server import ModelServer

CONFIG = """
model = "quotes"
[[endpoint]]
name = "quotes"
kind = "callable"
function = "quotes:generate"
models = ["quotes"]
[[endpoint]]
name = "gone"
url = "http://127.0.0.1:9/v1"
"""


def checks(core: Core, *args: object, **env: str) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in core("doctor", "--json", *args, **env).json["checks"]}


def test_a_server_is_shown_with_its_models_and_its_time(core: Core, server: ModelServer) -> None:
    """Without --warm-up nothing is called that costs."""
    found = checks(core, "--llm-url", server.url)["endpoint cli (default)"]
    assert found["state"] == "ok"
    assert f"{server.url} answers in " in found["detail"]
    assert found["detail"].endswith("models: test-model")
    assert server.calls == 0


def test_a_warm_up_makes_one_call(core: Core, server: ModelServer) -> None:
    """To the model the server offers, with how long it took."""
    found = checks(core, "--llm-url", server.url, "--warm-up")["warm-up cli"]
    assert found["state"] == "ok", found
    assert found["detail"].startswith("test-model answered in ")
    assert server.calls == 1


def test_every_endpoint_is_tried(core: Core, tmp_path: Path) -> None:
    """A function is imported and called; an endpoint that is down and not needed is a note with the way out."""
    path = tmp_path / "brigade.toml"
    path.write_text(CONFIG)
    found = checks(core, "--config", path, "--warm-up", PYTHONPATH=str(ROOT / "docs" / "examples"))
    assert "quotes:generate answers in" in found["endpoint quotes (default)"]["detail"]
    assert found["warm-up quotes"]["state"] == "ok"
    assert found["endpoint gone"]["state"] == "note"
    assert "Is the server running, and the url right? (after " in found["endpoint gone"]["detail"]
    broken = checks(core, "--config", path)["endpoint quotes (default)"]
    assert broken["state"] == "problem"
    assert "PYTHONPATH" in broken["detail"]
