"""What a change of a limit did: the same length of time before and after it, the settling in between left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor

from core.base.tuning_views import ChangeEffect, Window
from core.store.slices import SLICE
from core.store.window_reads import Change

LONGEST_S = 60.0

Span = tuple[float, float]
Look = Callable[[str, float, float], Window]


def spans(times: Sequence[float], end_s: float, settle_s: float) -> list[tuple[Span, Span] | None]:
    """For each change (ascending seconds) the comparable stretches before and after it; None where there is no room.

    Both are equally long, at most a minute, whole slices of the roll-ups, and free of other changes and of the
    `settle_s` seconds after any of them.
    """
    begins = [0.0, *(at + settle_s for at in times)]
    ends = [min(at, end_s) for at in (*times, end_s)]
    return [_around(begins[n], ends[n], begins[n + 1], ends[n + 1]) for n in range(len(times))]


def _around(since: float, until: float, after: float, end: float) -> tuple[Span, Span] | None:
    before_end, after_begin = floor(until / SLICE) * SLICE, ceil(after / SLICE) * SLICE
    room = min(before_end - ceil(since / SLICE) * SLICE, floor(end / SLICE) * SLICE - after_begin, LONGEST_S)
    if room < SLICE:
        return None
    return (before_end - room, float(before_end)), (float(after_begin), after_begin + room)


def effects(changes: Sequence[Change], look: Look, end_s: float, settle_s: float) -> tuple[ChangeEffect, ...]:
    """Each change with what it did. look(resource, begin, end) reads a stretch of the run."""
    found: dict[Change, ChangeEffect] = {}
    for resource in dict.fromkeys(change.resource for change in changes):
        own = [change for change in changes if change.resource == resource]
        for change, around in zip(own, spans([c.t for c in own], end_s, settle_s), strict=True):
            found[change] = _effect(change, around, look)
    return tuple(found[change] for change in dict.fromkeys(changes))


def _effect(change: Change, around: tuple[Span, Span] | None, look: Look) -> ChangeEffect:
    before, after = (None, None) if around is None else (look(change.resource, *span) for span in around)
    return ChangeEffect(*change, before=before, after=after, gain=_gain(before, after))


def _gain(before: Window | None, after: Window | None) -> float | None:
    if before is None or after is None or not before.calls_per_s:
        return None
    return after.calls_per_s / before.calls_per_s - 1
