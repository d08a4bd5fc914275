"""A model that is a Python function in this process, such as a local `generate`, called in threads of its own."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import Any

from core.base.errors import (
    BrokenReplyError,
    ConfigError,
    ModelError,
    RejectedError,
    ServerFaultError,
    UnreachableError,
)
from core.base.records import ModelReply, ModelRequest
from core.models.functions import Function, call, described, find, reply_of, wanted
from core.models.workers import Workers


class CallableModel:
    """A `Model` over a function by its import path; `size` calls run at once, each in a thread.

    The function is found on first use, in a thread too, for importing it may load a model: `load` does so beforehand.
    A call that is out of time is given up, but its thread goes on and is missing until it returns; when all are
    missing, calls are turned away (UnreachableError) instead of waiting behind what hangs.
    """

    def __init__(self, path: str, *, size: int = 1) -> None:
        self.path = path
        self.workers = Workers(size, path)
        self._function: Function | None = None
        self._names: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"<CallableModel {self.workers!r}>"

    async def aclose(self) -> None:
        """Let the threads end; what hangs in one does not keep the process."""
        self.workers.close()

    async def load(self) -> None:
        """Import the function; ConfigError where it cannot be."""
        if self._function is None:
            found = await self.workers.run(lambda: find(self.path))
            self._names = wanted(found)
            self._function = found

    async def complete(self, request: ModelRequest) -> ModelReply:
        """One call of the function; every failure is a ModelError."""
        if self.workers.lost >= self.workers.size:
            raise UnreachableError(self._taken())
        begun = threading.Event()
        try:
            async with asyncio.timeout(request.timeout):
                await self.load()
                return reply_of(await self._called(request, begun), request)
        except TimeoutError:
            pass
        except ConfigError as exc:
            raise RejectedError(str(exc), sent=False) from exc
        if not begun.is_set():
            raise UnreachableError(self._taken())
        said = f"{self.path} did not return within {request.timeout:g} s."
        raise BrokenReplyError(f"{said} {self._taken()}" if self.workers.lost else said, late="total")

    async def _called(self, request: ModelRequest, begun: threading.Event) -> Any:
        made = await self.workers.run(lambda: self._made(request, begun))
        if isinstance(made, ModelError):
            raise made
        if not inspect.isawaitable(made):
            return made
        try:
            return await made
        except ModelError:
            raise
        except Exception as exc:  # noqa: BLE001 - the function's own
            failure = self._failed(exc)
        raise failure

    def _made(self, request: ModelRequest, begun: threading.Event) -> Any:
        """What the function returns, or the error of the tree for what it raised (in a thread of its own)."""
        assert self._function is not None  # noqa: S101 - loaded before
        begun.set()
        try:
            return call(self._function, self._names, request)
        except ModelError as error:
            return error
        except BaseException as exc:  # noqa: BLE001 - a SystemExit is no reason to stop either
            return self._failed(exc)

    def _failed(self, exc: BaseException) -> ModelError:
        return ServerFaultError(f"{self.path} raised {described(exc)}")

    def _taken(self) -> str:
        workers = self.workers
        count = f"{workers.lost} of the {workers.size} threads of {self.path}"
        return f"{count} taken by calls that were given up and still run. Raise timeout_s or mend the function."
