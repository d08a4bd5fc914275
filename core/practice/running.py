"""Running a practice server: in this process until a signal, or as a child that goes when its parent goes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from core.base.errors import RunError
from core.practice.presets import Preset, preset_of
from core.practice.server import PracticeServer

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 5.0
# A practice server needs no keys: it gets none.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "HOME", "TMPDIR", "TEMP", "SYSTEMROOT", "PYTHONPATH", "LD_LIBRARY_PATH")
_PORT = re.compile(r"http://[^ ]*:(\d+)/v1")


def serve(
    preset: str,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    ready: Callable[[int], None] | None = None,
    with_parent: bool = False,
    **overrides: object,
) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is told the port. ConfigError for a preset that does not exist.

    with_parent: also stop when stdin ends, that is when the process that holds its other end is gone.
    """
    main = _serve(preset_of(preset, overrides), host, port, ready or (lambda _: None), with_parent)
    try:
        import uvloop
    except ImportError:  # Windows
        asyncio.run(main)
    else:
        uvloop.run(main)


async def _serve(preset: Preset, host: str, port: int, ready: Callable[[int], None], with_parent: bool) -> None:
    stop = asyncio.Event()
    practice = PracticeServer(preset)
    server = await practice.listen(host, port)
    _stop_on_signals(stop)
    if with_parent:
        _stop_with_parent(stop)
    ready(server.sockets[0].getsockname()[1])
    await stop.wait()
    server.close()
    practice.close()
    await asyncio.sleep(0)


def _stop_on_signals(stop: asyncio.Event) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGINT"):
        try:
            loop.add_signal_handler(getattr(signal, name), stop.set)
        except NotImplementedError:  # Windows
            signal.signal(getattr(signal, name), lambda *_: loop.call_soon_threadsafe(stop.set))


def _stop_with_parent(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def wait() -> None:
        while os.read(0, 4096):  # not sys.stdin, whose lock a thread still reading would hold at interpreter shutdown
            continue
        with contextlib.suppress(RuntimeError):  # a signal was first and the loop is closed
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, name="parent", daemon=True).start()


class PracticeProcess:
    """A practice server in a process of its own, ready when the constructor returns; a context manager.

    It ends with `stop`, and by itself when this process ends, however that happens.
    """

    def __init__(self, preset: str = "single-gpu-8b", **overrides: object) -> None:
        preset_of(preset, overrides)
        self.preset = preset
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [
                sys.executable,
                "-m",
                "core.practice",
                "--preset",
                preset,
                "--port",
                "0",
                "--with-parent",
                *_flags(overrides),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            text=True,
            start_new_session=True,  # a terminal's Ctrl-C is for the parent, which drains its calls before it stops us
        )
        self.port = self._await_port()

    def __repr__(self) -> str:
        return f"<PracticeProcess {self.preset} {self.url} {'alive' if self.alive else 'stopped'}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The API's base, as an endpoint's url."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def stop(self) -> None:
        """End the process and wait for it."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        if self.alive:
            self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _await_port(self) -> int:
        watchdog = threading.Timer(START_TIMEOUT_S, self._process.kill)
        watchdog.start()
        try:
            assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
            found = _PORT.search(self._process.stdout.readline())
        finally:
            watchdog.cancel()
        if found is None:
            self.stop()
            msg = f"The practice server {self.preset!r} did not start: exit {self._process.returncode}."
            raise RunError(msg)
        return int(found[1])


def _flags(overrides: dict[str, object]) -> list[str]:
    return [word for name, value in overrides.items() for word in ("--set", f"{name}={json.dumps(value)}")]
