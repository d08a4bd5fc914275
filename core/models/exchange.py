"""One request and its answer: deadlines for the first byte, for gaps and in all, and a limit on the size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from pyreqwest.exceptions import ConnectError, ConnectTimeoutError, PoolTimeoutError, PyreqwestError
from pyreqwest.request import RequestBuilder
from pyreqwest.response import Response

from core.base.errors import BrokenReplyError, MalformedError, ModelError, RejectedError, UnreachableError
from core.models.addresses import Origin
from core.models.transport import Deadlines

LARGEST_BODY = 10 * 1024 * 1024
AFTER_THE_END_S = 1.0
_TLS = ("certificate", "tls", "handshake", "ssl", "cert")

Sink = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is empty where a sink took it."""

    response: Response
    body: bytes
    streamed: bool = False


class Exchange:
    """A request under way. `take` gets each chunk of an event stream and says when the answer is complete."""

    __slots__ = ("_deadline", "_deadlines", "_loop", "_origin", "_phase", "_sink", "_until")

    def __init__(self, origin: Origin, deadlines: Deadlines, total: float, sink: Sink | None = None) -> None:
        self._origin = origin
        self._deadlines = deadlines
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + total
        self._sink = sink
        self._phase = "begin to answer"
        self._deadline: asyncio.Timeout

    async def run(self, request: RequestBuilder) -> Answer:
        """Send and read. Raises UnreachableError, RejectedError (TLS), BrokenReplyError and MalformedError (size)."""
        try:
            self._deadline = asyncio.timeout_at(self._in(self._deadlines.first_byte))
            async with self._deadline, request.build_streamed() as response:
                return await self._read(response)
        except PyreqwestError as exc:
            raise error_of(exc, self._origin) from None
        except TimeoutError:
            msg = f"{self._origin.host} did not {self._phase} in time; whether the call is billed is unknown."
            raise BrokenReplyError(msg) from None

    def _in(self, seconds: float | None) -> float:
        return self._until if seconds is None else min(self._until, self._loop.time() + seconds)

    async def _read(self, response: Response) -> Answer:
        self._phase = "finish its answer"
        self._deadline.reschedule(self._in(self._deadlines.idle))
        if self._sink and response.status == 200 and "event-stream" in (response.get_header("content-type") or ""):
            await self._pour(response, self._sink)
            return Answer(response, b"", streamed=True)
        length = response.get_header("content-length")
        if length is None or not length.isdecimal():
            return Answer(response, await self._collect(response))
        if int(length) > LARGEST_BODY:
            raise _too_large(self._origin)
        return Answer(response, bytes(await response.bytes()))

    async def _pour(self, response: Response, sink: Sink) -> None:
        reader, size = response.body_reader, 0
        while (chunk := await reader.read_chunk()) is not None:
            self._deadline.reschedule(self._in(self._deadlines.idle))
            size += len(chunk)
            if size > LARGEST_BODY:
                raise _too_large(self._origin)
            if sink(bytes(chunk)):
                return await self._drain(response)
        return None

    async def _drain(self, response: Response) -> None:
        """Read what follows a complete answer, so that the connection serves the next call; no matter what it is."""
        self._deadline.reschedule(None)
        try:
            async with asyncio.timeout(AFTER_THE_END_S):
                while await response.body_reader.read_chunk() is not None:
                    pass
        except (TimeoutError, PyreqwestError):
            return

    async def _collect(self, response: Response) -> bytes:
        body = bytearray()
        while (chunk := await response.body_reader.read_chunk()) is not None:
            self._deadline.reschedule(self._in(self._deadlines.idle))
            body += chunk
            if len(body) > LARGEST_BODY:
                raise _too_large(self._origin)
        return bytes(body)


def _too_large(origin: Origin) -> MalformedError:
    return MalformedError(f"{origin.host} answered with more than {LARGEST_BODY >> 20} MB: the call was aborted.")


def error_of(exc: PyreqwestError, origin: Origin) -> ModelError:
    """The error of the tree for a failed connection, without the library's text: it may hold a URL with a key."""
    causes = _causes(exc)
    if isinstance(exc, ConnectError) and any(word in causes for word in _TLS):
        msg = f"TLS with {origin.host}:{origin.port} failed: {_tls_reason(causes)}. Check its certificate and the url."
        return RejectedError(msg, sent=False)
    if isinstance(exc, (ConnectError, ConnectTimeoutError)):
        return UnreachableError(f"Nobody answers at {origin}. Is the server running, and the url right?")
    if isinstance(exc, PoolTimeoutError):
        return UnreachableError(f"Every connection to {origin} is busy: lower the limit or raise max_connections.")
    return BrokenReplyError(
        f"The connection to {origin.host} broke before its answer was complete ({type(exc).__name__})."
    )


def _causes(exc: PyreqwestError) -> str:
    details = getattr(exc, "details", None) or {}
    return " ".join([exc.message, *(cause["message"] for cause in details.get("causes") or [])]).lower()


def _tls_reason(causes: str) -> str:
    known = ("expired", "not valid for name", "unknownissuer", "unknown issuer", "self-signed", "revoked", "handshake")
    return next((reason for reason in known if reason in causes), "the certificate is not trusted")
