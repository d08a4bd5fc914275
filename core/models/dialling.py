"""Making a connection: to the checked addresses in turn, through a proxy where the environment names one, with TLS."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl

import certifi

from core.base.errors import ModelError, RejectedError, UnreachableError
from core.models.addresses import Address, Origin, Place, check_literal, parse_url, resolve
from core.models.link import Deadlines, Link, Outgoing, Via
from core.models.proxies import proxy_for

FRESH_S = 60.0
_REASONS = {
    "expired": "its certificate has expired",
    "not yet valid": "its certificate is not valid yet",
    "mismatch": "its certificate is for another name",
    "revoked": "its certificate is revoked",
    "self-signed": "its certificate is self-signed",
    "self signed": "its certificate is self-signed",
}


def trusted() -> ssl.SSLContext:
    """TLS that verifies: by SSL_CERT_FILE or SSL_CERT_DIR where set, else by the system's and certifi's authorities."""
    context = ssl.create_default_context()
    if not {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys():
        context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


class Dialler:
    """Connects to one origin; its name is resolved anew after a minute, and after a failure."""

    def __init__(self, origin: Origin, deadlines: Deadlines) -> None:
        self._origin = origin
        self._deadlines = deadlines
        self._tls: ssl.SSLContext | None = None
        self._addresses: tuple[Address, ...] = ()
        self._resolved_at = 0.0
        self._lock = asyncio.Lock()
        proxy = proxy_for(origin)
        self._proxy = parse_url(proxy) if proxy else None

    @property
    def via(self) -> Via:
        """What requests carry on this way: a plain HTTP proxy wants the whole URL."""
        if self._proxy is None or self._origin.scheme == "https":
            return Via(self._origin.authority)
        return Via(self._origin.authority, str(self._origin), _authorization(self._proxy))

    async def dial(self, until: float) -> Link:
        """A new connection, by that moment at most. Unreachable- and RejectedError: nothing was sent yet."""
        at = min(until, asyncio.get_running_loop().time() + self._deadlines.connect)
        try:
            async with asyncio.timeout_at(at):
                return await (self._through(self._proxy, at) if self._proxy else self._direct())
        except TimeoutError:
            failure: ModelError = UnreachableError(f"{self._origin} does not accept a connection in time.")
        except ssl.SSLError as exc:
            failure = self._untrusted(exc)
        except OSError:
            failure = UnreachableError(f"Nobody answers at {self._origin}. Is the server running, and the url right?")
        self._addresses = ()
        # Raised here, not above, so that no report that follows the chain shows a proxy's password.
        raise failure

    async def _direct(self) -> Link:
        *others, last = await self._known()
        for address in others:
            try:
                return await self._connect(address)
            except OSError:  # also TLS: another address may be another server
                continue
        return await self._connect(last)

    async def _known(self) -> tuple[Address, ...]:
        loop = asyncio.get_running_loop()
        async with self._lock:
            if not self._addresses or loop.time() - self._resolved_at > FRESH_S:
                self._addresses, self._resolved_at = await resolve(self._origin), loop.time()
            return self._addresses

    async def _connect(self, address: Address) -> Link:
        tls = await self._context()
        name = self._origin.host if tls else None
        connect = asyncio.get_running_loop().create_connection
        _, link = await connect(self._link, str(address), self._origin.port, ssl=tls, server_hostname=name)
        return link

    async def _context(self) -> ssl.SSLContext | None:
        """Made once, in a thread: reading the authorities takes a while."""
        if self._tls is None and self._origin.scheme == "https":
            self._tls = await asyncio.to_thread(trusted)
        return self._tls

    def _link(self) -> Link:
        return Link(self._origin, self._deadlines)

    async def _through(self, proxy: Place, until: float) -> Link:
        """To the proxy, which resolves the name itself; for https a tunnel, and TLS with the server inside it."""
        check_literal(self._origin)
        loop = asyncio.get_running_loop()
        outer = await asyncio.to_thread(trusted) if proxy.origin.scheme == "https" else None
        transport, link = await loop.create_connection(self._link, proxy.origin.host, proxy.origin.port, ssl=outer)
        tls = await self._context()
        if tls:
            await self._tunnel(link, proxy, until)
            inner = await loop.start_tls(transport, link, tls, server_hostname=self._origin.host)
            link.connection_made(inner or transport)
        return link

    async def _tunnel(self, link: Link, proxy: Place, until: float) -> None:
        host = f"[{self._origin.host}]" if ":" in self._origin.host else self._origin.host
        target = f"{host}:{self._origin.port}"
        request = Outgoing("CONNECT", target, _authorization(proxy))
        answer = await link.call(request, Via(target), until, bodyless=True)
        if answer.status != 200:
            link.close()
            msg = f"The proxy {proxy.origin.host} answered {answer.status} instead of a tunnel to {self._origin.host}."
            raise RejectedError(msg, status=answer.status, sent=False)

    def _untrusted(self, exc: ssl.SSLError) -> RejectedError:
        said = str(getattr(exc, "verify_message", "")).lower()
        verified = isinstance(exc, ssl.SSLCertVerificationError)
        default = "its certificate is not trusted" if verified else "it does not speak TLS as it should"
        reason = next((told for word, told in _REASONS.items() if word in said), default)
        where = f"{self._origin.host}:{self._origin.port}"
        return RejectedError(f"TLS with {where} failed: {reason}. Check the certificate and the url.", sent=False)


def _authorization(proxy: Place) -> bytes:
    """The header line that lets one through a proxy with user and password; else nothing."""
    if proxy.user is None:
        return b""
    return b"proxy-authorization: Basic %b\r\n" % base64.b64encode(":".join(proxy.user).encode())
