"""How many calls were in flight at an endpoint while each of them was under way, and what they took at each number."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import log2

from core.base.views import Level

BINS_PER_DOUBLING = 2

Span = tuple[float, float]


def crowds(spans: Sequence[Span]) -> list[float]:
    """For each (begin, end) the time-weighted mean number of spans under way meanwhile, itself included."""
    times, area = _area(spans)
    return [_mean(times, area, begin, end) for begin, end in spans]


def _area(spans: Sequence[Span]) -> tuple[list[float], list[tuple[float, int]]]:
    """The moments at which the number changes, and for each the integral of the number so far and the number then."""
    steps = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    times = [at for at, _ in steps]
    counts = list(accumulate(step for _, step in steps))
    pieces = [count * (later - at) for count, at, later in zip(counts, times, times[1:], strict=False)]
    return times, list(zip(accumulate(pieces, initial=0.0), counts, strict=True)) if times else []


def _mean(times: Sequence[float], area: Sequence[tuple[float, int]], begin: float, end: float) -> float:
    if end <= begin:
        return 1.0
    return max(1.0, (_until(times, area, end) - _until(times, area, begin)) / (end - begin))


def _until(times: Sequence[float], area: Sequence[tuple[float, int]], at: float) -> float:
    place = bisect_right(times, at) - 1
    so_far, count = area[place]
    return so_far + count * (at - times[place])


def levels(calls: Iterable[tuple[float, float]]) -> tuple[Level, ...]:
    """(number in flight, seconds) of calls as means over logarithmic bins, two per doubling."""
    bins: dict[int, list[tuple[float, float]]] = {}
    for crowd, seconds in calls:
        bins.setdefault(round(BINS_PER_DOUBLING * log2(crowd)), []).append((crowd, seconds))
    return tuple(_level(bins[key]) for key in sorted(bins))


def _level(calls: Sequence[tuple[float, float]]) -> Level:
    count = len(calls)
    return Level(sum(crowd for crowd, _ in calls) / count, count, sum(seconds for _, seconds in calls) / count)
