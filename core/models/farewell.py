"""Leaving quietly: the HTTP library's native thread must not reach for the interpreter while it shuts down.

Before Python 3.14 a native thread that does so aborts the process (python/cpython#87135), measured here in 1 to 3 % of
the exits that followed a call closely. So the clients are dropped before the shutdown begins, and the thread gets a
moment to finish.
"""

from __future__ import annotations

import atexit
import time
import weakref
from typing import Protocol

A_MOMENT_S = 0.03


class Leaver(Protocol):
    """What holds native clients."""

    def drop(self) -> None: ...


_leavers: weakref.WeakSet[Leaver] = weakref.WeakSet()
_used = False


def remember(leaver: Leaver) -> None:
    """Let go of what it holds before the interpreter shuts down."""
    global _used  # noqa: PLW0603 - a fact of the process
    _used = True
    _leavers.add(leaver)


@atexit.register
def _leave() -> None:
    for leaver in list(_leavers):
        leaver.drop()
    if _used:
        time.sleep(A_MOMENT_S)
