"""Which addresses a model server may have: http(s) only, and never a cloud's metadata service.

A name is resolved here and the connection is pinned to what was checked, so that a name that answers differently the
second time gains nothing. Loopback and private ranges are where local model servers live: they are allowed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass

from pyreqwest.http import Url

from core.base.errors import ConfigError, RejectedError, UnreachableError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

FORBIDDEN_NAMES = frozenset({"metadata.google.internal", "metadata.goog", "metadata"})
FORBIDDEN_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in ("169.254.0.0/16", "100.100.100.200/32", "fe80::/10", "fd00:ec2::254/128")
)
NAT64 = ipaddress.ip_network("64:ff9b::/96")


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
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    @property
    def loopback(self) -> bool:
        """Whether the host is this machine by its name or number."""
        literal = self.literal
        return literal.is_loopback if literal else self.host == "localhost" or self.host.endswith(".localhost")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def parse_url(text: str) -> Url:
    """The URL in canonical form; ConfigError without http(s) or a host, not repeating the text: it may hold a key."""
    url = Url(text.strip()) if Url.is_valid(text.strip()) else None
    if url is None or url.scheme not in {"http", "https"} or not url.host_str:
        msg = "A model server's url is like http://host:8000/v1 or https://host/v1; this one has no http(s) or no host."
        raise ConfigError(msg)
    return url


def origin_of(url: Url) -> Origin:
    """Scheme, host and port of a parsed URL."""
    host = (url.host_str or "").strip("[]").rstrip(".").lower()
    return Origin(url.scheme, host, url.port_or_known_default or 80)


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


async def resolve(origin: Origin) -> list[Address]:
    """The host's addresses, all of them allowed; UnreachableError where the name does not resolve."""
    check_literal(origin)
    if literal := origin.literal:
        return [literal]
    loop = asyncio.get_running_loop()
    try:
        infos = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        msg = f"The name {origin.host} does not resolve. Check the endpoint's url and the network."
        raise UnreachableError(msg) from exc
    addresses = list(dict.fromkeys(ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in infos))
    if any(forbidden(address) for address in addresses):
        raise refusal(origin)
    return addresses


async def first_open(origin: Origin, addresses: list[Address], seconds: float) -> Address:
    """The first address that accepts a connection, else the first of all: `localhost` is often two, one closed."""
    for address in addresses if len(addresses) > 1 else []:
        try:
            async with asyncio.timeout(seconds):
                _, writer = await asyncio.open_connection(str(address), origin.port)
        except OSError:
            continue
        writer.close()
        return address
    return addresses[0]
