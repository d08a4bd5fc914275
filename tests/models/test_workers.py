"""Threads of one's own: how many there are, and what becomes of calls that nobody waits for any more."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from core.models.workers import Workers


async def _until(true: object) -> None:
    """Let the threads go on until something holds."""
    async with asyncio.timeout(10):
        while not true():  # type: ignore[operator]
            await asyncio.sleep(0.001)


def test_no_more_threads_than_allowed() -> None:
    """Five calls on two threads: never more than two at once, all answered, none on the caller's thread."""
    running, peak, names = 0, 0, set()
    lock, both = threading.Lock(), threading.Barrier(2, timeout=5)

    def call() -> int:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
            names.add(threading.current_thread().name)
        both.wait()
        with lock:
            running -= 1
        return running

    async def main() -> None:
        workers = Workers(2, "two")
        await asyncio.gather(*(workers.run(call) for _ in range(6)))
        workers.close()

    asyncio.run(main())
    assert (peak, names) == (2, {"two-1", "two-2"})


def test_a_call_given_up_keeps_its_thread_until_it_returns() -> None:
    """It is counted while it hangs, others wait behind it, and its return sets the thread free."""

    async def main() -> None:
        workers, free = Workers(1, "one"), threading.Event()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await workers.run(free.wait)
        assert (workers.lost, "1 given up" in repr(workers)) == (1, True)
        behind = asyncio.ensure_future(workers.run(lambda: "next"))
        await asyncio.sleep(0.01)
        assert not behind.done()
        free.set()
        assert await behind == "next"
        await _until(lambda: workers.lost == 0)
        workers.close()

    asyncio.run(main())


def test_a_call_given_up_in_the_queue_is_never_made() -> None:
    """What nobody waits for any more does not begin, and is no lost thread."""

    async def main() -> None:
        workers, free, calls = Workers(1, "one"), threading.Event(), []
        first = asyncio.ensure_future(workers.run(free.wait))
        await asyncio.sleep(0.01)
        second = asyncio.ensure_future(workers.run(lambda: calls.append(1)))
        await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.sleep(0)
        free.set()
        await first
        assert await workers.run(lambda: "third") == "third"
        assert (calls, workers.lost) == ([], 0)
        workers.close()

    asyncio.run(main())


def test_what_a_call_raises_is_raised() -> None:
    """Also what would end a thread; the thread takes the next call."""

    async def main() -> None:
        workers = Workers(1, "one")
        with pytest.raises(SystemExit):
            await workers.run(lambda: sys.exit(3))
        assert await workers.run(lambda: 4) == 4
        workers.close()

    try:
        asyncio.run(main())
    except SystemExit:  # asyncio lets it through after the loop has seen it
        pytest.fail("it ended the loop")


def test_a_process_does_not_wait_for_what_hangs(tmp_path: Path) -> None:
    """The interpreter ends although a thread sleeps in a call that was given up."""
    script = tmp_path / "hang.py"
    script.write_text(
        textwrap.dedent("""
        import asyncio, threading
        from core.models.workers import Workers

        async def main():
            workers = Workers(1, "one")
            try:
                async with asyncio.timeout(0.05):
                    await workers.run(threading.Event().wait)
            except TimeoutError:
                print("given up", workers.lost)
            workers.close()

        asyncio.run(main())
        """)
    )
    root = Path(__file__).parents[2]
    command, env = [sys.executable, str(script)], {"PYTHONPATH": str(root)}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (0, "given up 1\n")
