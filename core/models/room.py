"""How many connections this process may hold: the limit of open files, raised as far as the system lets it."""

from __future__ import annotations

import resource

from core.base.errors import ConfigError

# Files besides connections: the database, its readers, logs, the embedded index.
KEPT_BACK = 128
ENOUGH = 65_536


def connection_room() -> int:
    """Connections that may be open at once; the soft limit of open files is raised towards the hard one first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (ValueError, OSError):  # macOS refuses more than its kernel has
            most = soft
    return max(1, most - KEPT_BACK)


def check_room(name: str, limit: int) -> None:
    """ConfigError for a limit that no process here could have in flight; nothing is capped in silence."""
    room = connection_room()
    if limit > room:
        msg = (
            f"The {name} limit is {limit}, but this process may hold {room} connections (its limit of open files). "
            f"Set at most {room}, or raise the limit of open files: ulimit -n {limit + KEPT_BACK}."
        )
        raise ConfigError(msg)
