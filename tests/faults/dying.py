"""A process that works on a run and dies on command: each is forked from one that has imported everything already.

`python -m tests.faults.dying` reads a line of JSON per child, `{"path", "url", "die_at", "count"}`, and answers with
its pid and then its exit code. `die_at`: the durable boundary at which it dies by its own hand; 0: it lives on.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from core.models import HttpTransport
from core.store.connection import begin
from core.store.writer import Op, Work, Writer
from tests.faults.world import World

ROOT = Path(__file__).parents[2]
DIED = 9


class Boundaries:
    """Counts what is durable, or is about to be, and ends the process at the k-th."""

    def __init__(self, die_at: int) -> None:
        self._left = die_at
        self._lock = threading.Lock()

    def step(self) -> None:
        """One boundary."""
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os._exit(DIED)

    def after(self, verb: Callable[..., Any]) -> Callable[..., Any]:
        """The ledger's verb with a boundary behind it."""

        async def wrapped(*args: Any, **options: Any) -> Any:
            answer = await verb(*args, **options)
            self.step()
            return answer

        return wrapped

    def watch(self, world: World) -> None:
        """Put a boundary behind each begin, settle and save, and before and behind each commit of the writer."""
        ledger = world.store.ledger
        for name in ("begin", "settle", "save"):
            setattr(ledger, name, self.after(getattr(ledger, name)))

        def transact(writer: Writer, groups: dict[Work, list[Op]]) -> list[Sequence[Any]]:
            begin(writer._db)
            answers = [work.apply(writer._db, [op.payload for op in ops]) for work, ops in groups.items()]
            self.step()
            writer._db.execute("COMMIT")
            self.step()
            return answers

        Writer._transact = transact  # type: ignore[method-assign]


def work(path: str, url: str, die_at: int, count: int) -> None:
    """Resume the run and work on it to its end, or to the end of this process."""
    world = World(Path(path), count=count)
    world.urls["m"] = url
    Boundaries(die_at).watch(world)

    async def main() -> None:
        transport = HttpTransport()
        await world.driver(transport, resumed=True, owner=f"{socket.gethostname()}:{os.getpid()}:x").drive()
        await transport.aclose()

    asyncio.run(main())
    world.store.close()


def serve() -> None:
    """Fork a child for each line."""
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                work(**json.loads(line))
                code = 0
            finally:
                os._exit(code)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


class Nursery:
    """The process that forks the others."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.dying"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def run(self, path: Path, url: str, *, count: int, die_at: int = 0, kill_after_s: float = 0.0) -> int:
        """A child's exit code; `kill_after_s`: it is killed if it works for longer."""
        told, asked = self._process.stdout, self._process.stdin
        assert told
        assert asked
        asked.write(json.dumps({"path": str(path), "url": url, "die_at": die_at, "count": count}).encode() + b"\n")
        asked.flush()
        pid = int(told.readline())
        if kill_after_s and not select.select([told], [], [], kill_after_s)[0]:
            os.kill(pid, signal.SIGKILL)
        return int(told.readline())


if __name__ == "__main__":
    serve()
