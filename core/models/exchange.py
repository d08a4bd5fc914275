"""One request and its answer: deadlines for the first byte, for gaps and in all, and a limit on the size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from pyreqwest.exceptions import PyreqwestError
from pyreqwest.request import RequestBuilder
from pyreqwest.response import Response

from core.base.errors import BrokenReplyError, MalformedError, ModelError
from core.models.addresses import Origin
from core.models.breakage import error_of
from core.models.transport import Deadlines

LARGEST_BODY = 10 * 1024 * 1024
AFTER_THE_END_S = 1.0

Sink = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is empty where a sink took it."""

    response: Response
    body: bytes = field(repr=False)
    streamed: bool = False


class Exchange:
    """A request under way. The sink gets each chunk of an event stream and says when the answer is complete."""

    __slots__ = (
        "_answer",
        "_cancels",
        "_deadline",
        "_deadlines",
        "_loop",
        "_origin",
        "_phase",
        "_sink",
        "_task",
        "_until",
    )

    def __init__(self, origin: Origin, deadlines: Deadlines, total: float, sink: Sink | None = None) -> None:
        self._origin = origin
        self._deadlines = deadlines
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + total
        self._sink = sink
        self._phase = "begin to answer"
        self._answer: Answer | None = None
        self._task = asyncio.current_task()
        self._cancels = self._task.cancelling() if self._task else 0
        self._deadline = asyncio.timeout_at(self._in(deadlines.first_byte))

    async def run(self, request: RequestBuilder) -> Answer:
        """Send and read. Raises UnreachableError, RejectedError (TLS), BrokenReplyError and MalformedError (size)."""
        failure: ModelError | None = None
        try:
            async with self._deadline:
                async with request.build_streamed() as response:
                    self._answer = await self._read(response)
                self._heed()
        except (PyreqwestError, TimeoutError) as exc:
            failure = self._error(exc)
        if self._answer is None:
            # Raised here, not above, so that no report that follows the chain shows what the library knew.
            raise failure or MalformedError(f"{self._origin.host} gave no answer.")
        return self._answer

    def _error(self, exc: PyreqwestError | TimeoutError) -> ModelError:
        if isinstance(exc, PyreqwestError):
            return error_of(exc, self._origin)
        msg = f"{self._origin.host} did not {self._phase} in time; whether the call is billed is unknown."
        return BrokenReplyError(msg)

    def _in(self, seconds: float | None) -> float:
        return self._until if seconds is None else min(self._until, self._loop.time() + seconds)

    def _heed(self) -> None:
        """Obey a cancellation, also our own deadline's: pyreqwest swallows it when its result comes at that moment."""
        if self._task and self._task.cancelling() > self._cancels:
            raise asyncio.CancelledError

    def _go_on(self) -> None:
        """Something came: the next gap begins."""
        self._heed()
        self._deadline.reschedule(self._in(self._deadlines.idle))

    async def _read(self, response: Response) -> Answer:
        self._go_on()
        self._phase = "finish its answer"
        if self._sink and response.status == 200 and "event-stream" in (response.get_header("content-type") or ""):
            return await self._pour(response, self._sink)
        length = response.get_header("content-length")
        if length is None or not length.isdecimal():
            return Answer(response, await self._collect(response))
        self._limit(int(length))
        body = bytes(await response.bytes())
        self._heed()
        return Answer(response, body)

    async def _pour(self, response: Response, sink: Sink) -> Answer:
        size = 0
        while (chunk := await response.body_reader.read_chunk()) is not None:
            self._go_on()
            size += len(chunk)
            self._limit(size)
            if sink(bytes(chunk)):
                self._answer = Answer(response, b"", streamed=True)
                await self._drain(response)
                break
        return Answer(response, b"", streamed=True)

    async def _drain(self, response: Response) -> None:
        """Read what follows a complete answer, for a moment, so that the connection can serve the next call."""
        self._deadline.reschedule(self._loop.time() + AFTER_THE_END_S)
        while await response.body_reader.read_chunk() is not None:
            self._heed()

    async def _collect(self, response: Response) -> bytes:
        body = bytearray()
        while (chunk := await response.body_reader.read_chunk()) is not None:
            self._go_on()
            body += chunk
            self._limit(len(body))
        return bytes(body)

    def _limit(self, size: int) -> None:
        if size > LARGEST_BODY:
            msg = f"{self._origin.host} answered with more than {LARGEST_BODY >> 20} MB: the call was aborted."
            raise MalformedError(msg)
