"""What went wrong on the way to a server or back, as one error of the tree."""

from __future__ import annotations

import aiohttp

from core.base.errors import BrokenReplyError, MalformedError, ModelError, RejectedError, UnreachableError
from core.models.addresses import Origin
from core.models.progress import Progress, Step


def error_of(exc: Exception, progress: Progress, origin: Origin) -> ModelError:
    """The error for what was raised. It does not chain it, nor its traceback: they hold the request with its key."""
    # httpx-aiohttp maps a broken connection to a timeout; what aiohttp said is behind it.
    cause = exc.__cause__ or exc
    if isinstance(exc, ModelError):
        return exc.with_traceback(None)
    if isinstance(exc, TimeoutError):
        return _late(progress, origin)
    return _broken(cause, origin) if progress.sent else _unconnected(cause, origin)


def _late(progress: Progress, origin: Origin) -> ModelError:
    step = progress.step
    if step is Step.QUEUED:
        return UnreachableError(f"All connections to {origin} are busy: lower the limit or raise max_connections.")
    if step is Step.CONNECTING:
        return UnreachableError(f"{origin} does not accept a connection in time.")
    what = "begin to answer" if step is Step.SENT else "finish its answer"
    msg = f"{origin.host} did not {what} in time; whether the call is billed is unknown."
    return BrokenReplyError(msg, late=progress.late)


def _broken(cause: BaseException, origin: Origin) -> ModelError:
    """The request can have reached the server."""
    if isinstance(cause, (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)):
        return BrokenReplyError(f"The connection to {origin.host} broke before its answer was complete.")
    return MalformedError(f"The answer of {origin.host} is not understood: it is not HTTP as it should be.")


def _unconnected(cause: BaseException, origin: Origin) -> ModelError:
    """Nothing was sent yet."""
    if isinstance(cause, aiohttp.ClientSSLError):
        return _untrusted(cause.os_error, origin)
    if isinstance(cause, aiohttp.ClientHttpProxyError):
        msg = f"The proxy answered {cause.status} instead of a tunnel to {origin.host}."
        return RejectedError(msg, status=cause.status, sent=False)
    if isinstance(cause, aiohttp.InvalidURL):
        return RejectedError(f"{origin} is no address that can be called. Change the endpoint's url.", sent=False)
    return UnreachableError(f"Nobody answers at {origin}. Is the server running, and the url right?")


def _untrusted(exc: OSError, origin: Origin) -> RejectedError:
    reason = getattr(exc, "verify_message", "") or "it does not speak TLS as it should"
    where = f"{origin.host}:{origin.port}"
    return RejectedError(f"TLS with {where} failed: {reason}. Check its certificate and the url.", sent=False)
