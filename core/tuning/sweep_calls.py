"""Which limits a sweep tries, and which of them so many calls are enough for."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from core.flow.limits import calls_needed

FIRST = 4  # where a sweep without a grid begins
TOP = 512  # and where it ends
NEAR = 2  # limits around the knee


def schedule(limits: Sequence[int], ceiling: int | None = None) -> tuple[int, ...]:
    """The grid itself; for a sweep that finds its limits, the most it may try: doubling, and some at the knee."""
    if limits:
        return tuple(limits)
    top = min(TOP, ceiling or TOP)
    doubling = [FIRST * 2**n for n in range(top.bit_length()) if FIRST * 2**n < top]
    near = [ceil(top / 2 ** (0.25 * n)) for n in range(1, NEAR + 1)]
    return tuple(sorted({*doubling, *near, top}))


def reachable(limits: Sequence[int], calls: int) -> tuple[int, ...]:
    """The limits that so many calls are enough for, from the lowest up."""
    count = sum(calls_needed(limits[: n + 1]) <= calls for n in range(len(limits)))
    return tuple(limits[:count])
