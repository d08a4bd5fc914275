"""Which addresses a model server may have: http(s) only, and never a cloud's metadata service.

A name is resolved here and the connection goes to the very addresses that were checked, so that a name that answers
differently the second time gains nothing. Loopback and private ranges are where local model servers live: allowed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from core.base.errors import ConfigError, RejectedError, UnreachableError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

FORBIDDEN_NAMES = frozenset({"metadata.google.internal", "metadata.goog", "metadata"})
FORBIDDEN_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in ("169.254.0.0/16", "100.100.100.200/32", "fe80::/10", "fd00:ec2::254/128")
)
NAT64 = ipaddress.ip_network("64:ff9b::/96")
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a server is: scheme, host (an IPv6 literal without brackets) and port."""

    scheme: str
    host: str
    port: int

    @property
    def literal(self) -> Address | None:
        """The host as an address, where it is one."""
        try:
            return ipaddress.ip_address(self.host.partition("%")[0])
        except ValueError:
            return None

    @property
    def loopback(self) -> bool:
        """Whether the host is this machine by its name or number."""
        literal = self.literal
        return literal.is_loopback if literal else self.host == "localhost" or self.host.endswith(".localhost")

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Place:
    """A URL taken apart: the origin, the path, and user and password, which are shown nowhere."""

    origin: Origin
    path: str
    user: tuple[str, str] | None = field(repr=False, default=None)


def parse_url(text: str) -> Place:
    """The parts of an http(s) URL; ConfigError, which does not repeat the text: it may hold a password."""
    place = _parts(text.strip())
    if place is None:
        msg = "A model server's url is like http://host:8000/v1 or https://host/v1; this one has no http(s) or no host."
        raise ConfigError(msg)
    return place


def _parts(text: str) -> Place | None:
    try:
        url = urlsplit(text)
        host = (url.hostname or "").rstrip(".")
        host = host if ":" in host else _dotted(host.encode("idna").decode())
        port = url.port or PORTS.get(url.scheme, 0)
    except (ValueError, UnicodeError):
        return None
    if url.scheme not in PORTS or not host or not host.isprintable() or " " in host:
        return None
    user = (unquote(url.username or ""), unquote(url.password or "")) if url.username or url.password else None
    return Place(Origin(url.scheme, host, port), quote(url.path, safe="/%:@!$&'()*+,;=~"), user)


def _dotted(host: str) -> str:
    """An IPv4 address in its usual spelling, though it was written as one number or in octal; names as they are."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return host


def forbidden(address: Address) -> bool:
    """Whether an address is a metadata service or link-local, also when wrapped in an IPv6 address."""
    return any(inner in network for inner in _wrapped(address) for network in FORBIDDEN_NETWORKS)


def _wrapped(address: Address) -> list[Address]:
    found: list[Address] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        found += [inner for inner in (address.ipv4_mapped, address.sixtofour) if inner]
        if address in NAT64 or int(address) < 2**32:
            found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return found


def check_literal(origin: Origin) -> None:
    """RejectedError when the host itself, unresolved, is one that is always refused."""
    literal = origin.literal
    if origin.host in FORBIDDEN_NAMES or (literal and forbidden(literal)):
        raise refusal(origin)


def refusal(origin: Origin) -> RejectedError:
    """The error of an address that is always refused."""
    msg = f"{origin.host} is a link-local or metadata address, which is never called. Change the endpoint's url."
    return RejectedError(msg, sent=False)


async def resolve(origin: Origin) -> tuple[Address, ...]:
    """The host's addresses, all of them allowed; UnreachableError where the name does not resolve."""
    check_literal(origin)
    if literal := origin.literal:
        return (literal,)
    loop = asyncio.get_running_loop()
    try:
        infos = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        msg = f"The name {origin.host} does not resolve. Check the endpoint's url and the network."
        raise UnreachableError(msg) from exc
    addresses = tuple(dict.fromkeys(ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in infos))
    if any(forbidden(address) for address in addresses):
        raise refusal(origin)
    return addresses
