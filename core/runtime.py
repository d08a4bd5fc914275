"""One daemon thread that owns one asyncio loop: what the blocking world hands its coroutines to.

It is started once per process, on first use, and survives Streamlit's reruns because nothing of it lives in a script.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from core.base.errors import RunError

T = TypeVar("T")


class Runtime:
    """The thread and its loop. `submit` from any thread; `close` drains nothing: stop your work first."""

    def __init__(self, name: str = "brigade-runtime") -> None:
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._door = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()
        self._ready.wait()

    def __repr__(self) -> str:
        return f"<Runtime {'alive' if self.alive else 'closed'}>"

    @property
    def alive(self) -> bool:
        """Whether the thread runs and takes work."""
        return self._thread.is_alive() and self._loop is not None and not self._loop.is_closed()

    def _main(self) -> None:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            self._loop = runner.get_loop()
            runner.run(self._idle())

    async def _idle(self) -> None:
        self._stop = asyncio.Event()
        self._ready.set()
        await self._stop.wait()

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start a coroutine on the loop; the future is the caller's to wait on or to forget. RunError once closed."""
        if self.alive:  # asked before the lock, which a forked child may have inherited taken
            with self._door:
                if self._loop is not None and not self._closing:
                    return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        msg = "The service takes no work any more: it was closed, or this process was forked off it. Open a new one."
        raise RunError(msg)

    def call(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run a coroutine on the loop and wait for its result; a wait that ends early cancels it.

        RunError when the loop's own thread asks, which would wait for itself for ever.
        """
        if threading.current_thread() is self._thread:
            work.close()
            msg = "A coroutine of the service cannot wait for another through it; await that one instead."
            raise RunError(msg)
        future = self.submit(work)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    def close(self, timeout: float = 5.0) -> None:
        """Cancel what is left on the loop and join the thread."""
        if not self.alive or self._loop is None:
            return
        with self._door:
            if not self._closing:
                self._closing = True
                self._loop.call_soon_threadsafe(self._stop.set)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)


def loop_factory() -> Any:
    """uvloop's factory where it is installed (all but Windows): about a third less CPU per call."""
    if sys.platform == "win32":
        return None
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
