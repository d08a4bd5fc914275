"""The proxy variables (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY); never for this machine's own servers."""

from __future__ import annotations

import urllib.request

from core.models.addresses import Origin


def proxy_for(origin: Origin) -> str | None:
    """The proxy's URL for an origin, or None to connect directly."""
    if origin.loopback:
        return None
    proxies = urllib.request.getproxies_environment()
    found = proxies.get(origin.scheme) or proxies.get("all")
    if not found or urllib.request.proxy_bypass_environment(f"{origin.host}:{origin.port}", proxies):  # type: ignore[attr-defined]  # missing in typeshed
        return None
    return found if "://" in found else f"http://{found}"
