"""How many calls a schedule needs, and which of its limits so many calls are enough for."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from core.flow.limits.cohort import SETTLE, SHARE, SMALLEST

ADAPTIVE_TOP = 256
REFINED = 2


def calls_at(limit: int) -> int:
    """Calls that one measurement takes: some to settle, the cohort, and those that go on while its last ones end."""
    return ceil(SETTLE * limit) + max(SMALLEST, ceil(SHARE * limit)) + limit


def schedule(limits: Sequence[int], ceiling: int | None = None) -> tuple[int, ...]:
    """The grid itself; for a sweep that finds its limits, the most it may try: doubling, and two at the knee."""
    if limits:
        return tuple(limits)
    top = min(ADAPTIVE_TOP, ceiling or ADAPTIVE_TOP)
    doubling = [2**n for n in range(top.bit_length()) if 2**n < top]
    return tuple(sorted({*doubling, top, *(ceil(top / 2**0.5 ** (2 * n + 1)) for n in range(REFINED))}))


def calls_needed(limits: Sequence[int]) -> int:
    """Calls for the whole schedule, from the lowest limit up."""
    return sum(calls_at(limit) for limit in limits)


def reachable(limits: Sequence[int], calls: int) -> tuple[int, ...]:
    """The limits that so many calls are enough for."""
    found: list[int] = []
    for limit in limits:
        calls -= calls_at(limit)
        if calls < 0:
            break
        found.append(limit)
    return tuple(found)
