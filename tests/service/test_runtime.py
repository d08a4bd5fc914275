"""The runtime: one thread, one loop, work from anywhere, and a clear word once it is over."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from core.base.errors import RunError
from core.runtime import Runtime


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    running = Runtime("tested")
    yield running
    running.close()
    assert "tested" not in [thread.name for thread in threading.enumerate()]


async def where() -> str:
    return threading.current_thread().name


async def never() -> None:
    await asyncio.Event().wait()


def test_all_work_runs_on_one_thread(runtime: Runtime) -> None:
    """A thousand calls from sixteen threads all run on the runtime's own thread and answer their own caller."""

    async def double(number: int) -> tuple[int, str]:
        await asyncio.sleep(0)
        return 2 * number, await where()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: runtime.call(double(n)), range(1000)))
    assert answers == [(2 * n, "tested") for n in range(1000)]


def test_submit_does_not_wait(runtime: Runtime) -> None:
    """A submitted coroutine is in the caller's hands as a future, which can be cancelled."""
    future = runtime.submit(never())
    assert not future.done()
    assert future.cancel()
    assert runtime.call(where()) == "tested"


def test_an_exception_comes_back_to_the_caller(runtime: Runtime) -> None:
    """What a coroutine raises is raised by `call`, as itself, and the runtime goes on."""

    async def breaks() -> None:
        raise RunError("no such run")

    with pytest.raises(RunError, match="no such run"):
        runtime.call(breaks())
    assert runtime.call(where()) == "tested"


def test_a_wait_that_ends_early_cancels_its_work(runtime: Runtime) -> None:
    """After a timeout nothing of the call is left on the loop."""
    ended = threading.Event()

    async def long() -> None:
        try:
            await never()
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        runtime.call(long(), timeout=0.02)
    assert ended.wait(5)


def test_closing_cancels_what_is_left_and_leaves_no_thread() -> None:
    """Work on the loop is cancelled, its callers are told, threads of blocking calls end too; closing again is fine."""
    before = set(threading.enumerate())
    running = Runtime()
    waiting = running.submit(never())
    running.call(asyncio.to_thread(time.sleep, 0))
    running.close()
    running.close()
    with pytest.raises(CancelledError):
        waiting.result(1)
    assert set(threading.enumerate()) == before
    assert not running.alive
    assert repr(running) == "<Runtime closed>"


def test_work_for_a_closed_runtime_is_refused_in_words() -> None:
    """`submit` and `call` after `close` raise RunError, and no coroutine is left that was never awaited."""
    running = Runtime()
    running.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for ask in (running.submit, running.call):
            with pytest.raises(RunError, match="closed"):
                ask(where())


def test_a_call_that_races_with_closing_never_hangs() -> None:
    """Of calls made while the runtime closes, each gets its answer, a cancellation or a refusal."""
    for _ in range(10):
        running = Runtime()
        go = threading.Barrier(5)

        def ask(running: Runtime = running, go: threading.Barrier = go) -> str:
            go.wait()
            try:
                return running.submit(where()).result(5)
            except (RunError, CancelledError):
                return "told"

        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(ask) for _ in range(4)]
            go.wait()
            running.close()
            assert {a.result(6) for a in asked} <= {"told", "brigade-runtime"}


def test_the_loop_does_not_wait_for_itself(runtime: Runtime) -> None:
    """`call` from the runtime's own thread would never return: it is refused at once."""

    async def calls_itself() -> None:
        runtime.call(where())

    with pytest.raises(RunError, match="await"):
        runtime.call(calls_itself(), timeout=5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is POSIX's")
def test_a_forked_child_is_refused_rather_than_left_waiting(runtime: Runtime) -> None:
    """A fork has the object but not its thread: the child gets the error at once, the parent is not touched."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            runtime.call(where(), timeout=5)
        except RunError:
            runtime.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert runtime.call(where()) == "tested"


def test_two_runtimes_live_side_by_side(runtime: Runtime) -> None:
    """What a hot reload leaves behind and what it opens anew do not meet: closing one leaves the other at work."""
    newer = Runtime("newer")
    runtime.close()
    assert newer.call(where()) == "newer"
    newer.close()
