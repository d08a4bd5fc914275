"""A practice server as a process: ready when it is made, gone when it is stopped or its parent dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from core.base.errors import ConfigError
from core.base.records import Message, ModelRequest
from core.models import HttpTransport, OpenAIModel
from core.practice import PRESETS, PracticeProcess, serve

REQUEST = ModelRequest("practice-small", (Message("user", "Hello there."),), timeout=5.0)


def gone(pid: int, within: float = 5.0) -> bool:
    """Whether a process (not our child) ends soon."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def test_it_serves_until_it_is_stopped() -> None:
    """The constructor returns when calls are answered; stop ends the process, twice does no harm."""

    async def ask(url: str) -> str:
        transport = HttpTransport()
        text = (await OpenAIModel(url, transport=transport).complete(REQUEST)).text
        await transport.aclose()
        return text

    with PracticeProcess("zero") as server:
        assert server.alive
        assert asyncio.run(ask(server.url)) == "Hello there."
    assert not server.alive
    assert gone(server.pid)
    server.stop()


def test_it_goes_when_its_parent_is_killed() -> None:
    """SIGKILL on the parent leaves nothing behind."""
    code = (
        "import sys, time; from core.practice import PracticeProcess; p = PracticeProcess('zero');"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
    finally:
        parent.kill()
        parent.communicate()
    assert gone(child)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(sign: signal.Signals) -> None:
    """The command ends with 0 after SIGTERM and SIGINT."""
    command = [sys.executable, "-m", "core.practice", "--preset", "zero"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "simulated" in process.stdout.readline()
    process.send_signal(sign)
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def test_overrides_reach_the_child() -> None:
    """Numbers of a preset can be changed."""
    with PracticeProcess("fixed", latency_s=0.001, seats=3) as server:
        began = time.monotonic()
        with urllib.request.urlopen(server.url.replace("/v1", "/health")) as health:
            assert b"fixed" in health.read()
        assert time.monotonic() - began < 5


def test_it_gets_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child's environment holds none of the parent's secrets."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    with PracticeProcess("zero") as server:
        if os.path.exists(f"/proc/{server.pid}/environ"):  # noqa: PTH110 - /proc is no file to open twice
            with open(f"/proc/{server.pid}/environ", "rb") as environ:  # noqa: PTH123
                assert b"sk-canary" not in environ.read()


@pytest.mark.parametrize("how", [lambda: serve("nope"), lambda: serve("zero", warp=3), lambda: PracticeProcess("nope")])
def test_an_unknown_preset_is_named(how: object) -> None:
    """A preset or a number that does not exist is the operator's mistake; the message lists what there is."""
    with pytest.raises(ConfigError, match=r"zero|seats"):
        how()  # type: ignore[operator]


def test_every_preset_says_what_it_is() -> None:
    """Names are their keys, and each has its law in a sentence."""
    assert set(PRESETS) == {"zero", "single-gpu-8b", "kv-limited", "api-rpm", "shared-noisy", "fixed"}
    assert all(preset.name == name and preset.title.endswith(".") for name, preset in PRESETS.items())
