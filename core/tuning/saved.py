"""The time that running side by side saved, with its spread over the items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import pstdev

from core.base.tuning_views import Range, TimeSaved

Z80 = 1.28


def time_saved(
    wall_s: float,
    serial_s: float,
    item_s: Sequence[float],
    items: int,
    mean: Mapping[str, float],
    peak: Mapping[str, int],
) -> TimeSaved:
    """From the sum of all service times and those of single items (ascending).

    The sum over n items spreads with sqrt(n) times the spread of one item (the central limit theorem).
    """
    spread = Z80 * pstdev(item_s) * sqrt(items) if len(item_s) > 1 else 0.0
    serial = (max(0.0, serial_s - spread), serial_s, serial_s + spread)
    saved = (max(0.0, serial[0] - wall_s), max(0.0, serial[1] - wall_s), max(0.0, serial[2] - wall_s))
    return TimeSaved(wall_s, serial, saved, serial_s / wall_s if wall_s else 0.0, _quantiles(item_s), mean, peak)


def _quantiles(ordered: Sequence[float]) -> Range:
    if not ordered:
        return 0.0, 0.0, 0.0
    low, middle, high = (ordered[round(share * (len(ordered) - 1))] for share in (0.1, 0.5, 0.9))
    return low, middle, high
