"""Reports."""
from __future__ import annotations
from core.base.clock import Clock
from core.store.connection import Readers


class Reports:
    """Reads."""

    def __init__(self, readers: Readers, clock: Clock) -> None:
        self._readers = readers
        self._clock = clock
