"""What a failed connection means: whether the request can have reached the server decides what it may have cost."""

from __future__ import annotations

from pyreqwest.exceptions import ConnectError, ConnectTimeoutError, PoolTimeoutError, PyreqwestError

from core.base.errors import BrokenReplyError, ModelError, RejectedError, UnreachableError
from core.models.addresses import Origin

_TLS = ("certificate", "tls", "handshake", "ssl", "corrupt message")
_REASONS = {
    "expired": "its certificate has expired",
    "not valid for": "its certificate is for another name",
    "revoked": "its certificate is revoked",
    "invalidcontenttype": "it does not speak TLS",
    "corrupt message": "it does not speak TLS",
}


def error_of(exc: PyreqwestError, origin: Origin) -> ModelError:
    """The error of the tree for a failed connection, without the library's text: it may hold a URL with a key."""
    causes = _causes(exc)
    if isinstance(exc, PoolTimeoutError):
        return UnreachableError(f"Every connection to {origin} is busy: lower the limit or raise max_connections.")
    # The library calls a ConnectError also what breaks while the request is being sent.
    if isinstance(exc, ConnectTimeoutError) or (isinstance(exc, ConnectError) and "client error (connect)" in causes):
        return _not_connected(origin, causes)
    return BrokenReplyError(
        f"The connection to {origin.host} broke before its answer was complete ({type(exc).__name__})."
    )


def _not_connected(origin: Origin, causes: str) -> ModelError:
    if origin.scheme == "https" and any(word in causes for word in _TLS):
        reason = next((told for word, told in _REASONS.items() if word in causes), "its certificate is not trusted")
        msg = f"TLS with {origin.host}:{origin.port} failed: {reason}. Check the certificate and the url."
        return RejectedError(msg, sent=False)
    return UnreachableError(f"Nobody answers at {origin}. Is the server running, and the url right?")


def _causes(exc: PyreqwestError) -> str:
    details = getattr(exc, "details", None) or {}
    return " ".join([exc.message, *(cause["message"] for cause in details.get("causes") or [])]).lower()
