"""One embedding process, seen from the side that started it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, BinaryIO, cast

import core
from core.base.errors import SearchError
from core.base.records import Review
from core.intake.messages import Done, Failed, Job, Ready, Setup, receive, send
from core.search import Prepared

_ROOT = Path(core.__file__).parent.parent
_GRACE_S = 5.0
_TAIL_BYTES = 500


class EmbeddingProcess:
    """A child that holds an embedder; not thread-safe: one caller at a time.

    `threads` is how many threads its linear algebra may use.
    """

    def __init__(self, embedder: str, whole_reviews: bool, env: Mapping[str, str], threads: int) -> None:
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = _started(_environment(env, threads), self._complaints)
        with suppress(OSError):  # a child that is dead already is found out when it is asked
            send(cast(BinaryIO, self._process.stdin), Setup(embedder, whole_reviews))
        self._ready: Ready | None = None

    def __repr__(self) -> str:
        state = self._process.poll()
        return f"<EmbeddingProcess {self.pid} {'running' if state is None else f'exit {state}'}>"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ready(self) -> Ready:
        """Wait until its embedder is loaded; the embedder's own error where that fails."""
        if self._ready is None:
            self._ready = cast(Ready, self._answer())
        return self._ready

    def prepare(self, reviews: Sequence[Review]) -> list[Prepared]:
        """The reviews' sentences; SearchError where the process fails or dies."""
        self.ready()
        try:
            send(cast(BinaryIO, self._process.stdin), Job(reviews))
        except OSError:
            raise self._died() from None
        return cast(Done, self._answer()).unpack()

    def _answer(self) -> object:
        try:
            message = receive(cast(BinaryIO, self._process.stdout))
        except (EOFError, OSError, ValueError):
            raise self._died() from None
        if isinstance(message, Failed):
            raise message.error
        return message

    def _died(self) -> SearchError:
        """What to tell the operator of a process that is gone."""
        try:
            code: object = self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            code = "unknown"
        self._complaints.seek(0, os.SEEK_END)
        self._complaints.seek(max(0, self._complaints.tell() - _TAIL_BYTES))
        tail = self._complaints.read().decode(errors="replace").strip().rpartition("\n")[2]
        reason = "killed, perhaps for want of memory" if code == -9 else tail or "it said nothing"
        return SearchError(
            f"An embedding process ended unexpectedly (exit {code}: {reason}). What was read is kept: run the import "
            "again and it goes on with what is missing; fewer workers need less memory."
        )

    def kill(self) -> None:
        """End the process, whatever it is doing; whoever waits for its answer gets a SearchError."""
        self._process.kill()

    def close(self) -> None:
        """End the process and give its pipes back. Nobody may be waiting for it any more."""
        self.kill()
        self._process.wait(_GRACE_S)
        for pipe in (self._process.stdin, self._process.stdout, self._complaints):
            with suppress(OSError):  # what was left in its buffer has nowhere to go
                cast("IO[bytes]", pipe).close()


def _started(environment: Mapping[str, str], complaints: IO[bytes]) -> subprocess.Popen[bytes]:
    """The child; SearchError where it cannot be started."""
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "core.intake.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=environment,
            start_new_session=True,  # the terminal's Ctrl-C is for the parent, which ends its children itself
        )
    except OSError as exc:
        complaints.close()
        msg = f"An embedding process could not be started ({exc}): try again with fewer workers, or 0 for none."
        raise SearchError(msg) from exc


def _environment(env: Mapping[str, str], threads: int) -> dict[str, str]:
    """The child's environment: ours and `env`, the project importable, few threads for its linear algebra."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    few = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    return {**few, **os.environ, **env, "PYTHONPATH": path}
