"""Sums over settled attempts, in memory: what the roll-up table holds a row of."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from core.store.sketches import Sketch

SLICE = 5
MINUTE = 60
WHOLE_RUN = 0


class Settled(NamedTuple):
    """What a roll-up needs of one settled attempt; `ended_at` in wall seconds. The fields are columns or
    expressions of the attempts table, in this order."""

    run_id: str
    stage: str
    resource: str
    model: str
    ended_at: float
    state: str
    number: int
    calls: int
    queue_s: float
    service_s: float
    ttft_s: float | None
    input_tokens: int | None
    output_tokens: int | None
    cost_nano: int | None


class Key(NamedTuple):
    """Which row of the roll-up table. `width` in seconds, `slice` its number since the run's start."""

    run_id: str
    width: int
    slice: int
    stage: str
    resource: str
    model: str


def is_unpriced(resource: str, cost_nano: int | None, tokens: int | None) -> bool:
    """Whether a call used tokens that nobody could put a price on. A search has no price and needs none."""
    return cost_nano is None and tokens is not None and resource != "search"


@dataclass(slots=True)
class Slice:
    """Counts, sums and sketches of one key. `calls` are those of successful attempts; the latencies too."""

    attempts: int = 0
    calls: int = 0
    ok: int = 0
    failed: int = 0
    rate_limited: int = 0
    retries: int = 0
    service_s: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nano: int = 0
    priced: int = 0
    unpriced: int = 0
    service: Sketch = field(default_factory=Sketch)
    queue: Sketch = field(default_factory=Sketch)
    ttft: Sketch = field(default_factory=Sketch)

    def add(self, row: Settled) -> None:
        """Count one attempt."""
        self.attempts += 1
        self.retries += row.number > 1
        self.service_s += row.service_s
        self.queue.add(row.queue_s)
        self._add_outcome(row)
        self._add_usage(row)

    def _add_outcome(self, row: Settled) -> None:
        if row.state == "ok":
            self.ok += 1
            self.calls += row.calls
            self.service.add(row.service_s)
            if row.ttft_s is not None:
                self.ttft.add(row.ttft_s)
        elif row.state == "failed":
            self.failed += 1
        elif row.state == "rate_limited":
            self.rate_limited += 1

    def _add_usage(self, row: Settled) -> None:
        self.input_tokens += row.input_tokens or 0
        self.output_tokens += row.output_tokens or 0
        if row.cost_nano is not None:
            self.priced += 1
            self.cost_nano += row.cost_nano
        elif is_unpriced(row.resource, row.cost_nano, row.output_tokens):
            self.unpriced += 1

    def merge(self, other: Slice) -> None:
        """Add everything the other holds."""
        for name in SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in SKETCHES:
            getattr(self, name).merge(getattr(other, name))

    def to_row(self) -> list[Any]:
        """The values of `COLUMNS`."""
        return [getattr(self, name) for name in SUMS] + [getattr(self, name).to_bytes() for name in SKETCHES]

    @classmethod
    def from_row(cls, row: Mapping[str, Any] | sqlite3.Row) -> Slice:
        """A stored row, by column name."""
        values: dict[str, Any] = {name: row[name] for name in SUMS}
        values |= {name: Sketch.from_bytes(row[name]) for name in SKETCHES}
        return cls(**values)


SUMS = (
    "attempts", "calls", "ok", "failed", "rate_limited", "retries", "service_s", "input_tokens", "output_tokens",
    "cost_nano", "priced", "unpriced",
)  # fmt: skip
SKETCHES = ("service", "queue", "ttft")
COLUMNS = (*SUMS, *SKETCHES)


def fold(rows: Iterable[Settled], began: Mapping[str, float]) -> dict[Key, Slice]:
    """Sum attempts into slices of five seconds, of a minute and of the whole run; `began` is each run's start."""
    return coarsen(fold_fine(rows, began))


def fold_fine(rows: Iterable[Settled], began: Mapping[str, float]) -> dict[Key, Slice]:
    """Sum attempts into slices of five seconds."""
    fine: dict[Key, Slice] = {}
    for row in rows:
        key = fine_key(row, began[row.run_id])
        found = fine.get(key)
        if found is None:
            found = fine[key] = Slice()
        found.add(row)
    return fine


def fine_key(row: Settled, began: float) -> Key:
    """The slice of five seconds that an attempt belongs to."""
    return Key(row.run_id, SLICE, slice_of(row.ended_at, began), row.stage, row.resource, row.model)


def slice_of(at: float, began: float) -> int:
    """The number of the slice of five seconds that a wall time falls in."""
    return max(0, int((at - began) // SLICE))


def coarsen(fine: dict[Key, Slice]) -> dict[Key, Slice]:
    """The slices of five seconds with those of a minute and of the whole run."""
    folded = dict(fine)
    for key, part in fine.items():
        for coarse in (
            key._replace(width=MINUTE, slice=key.slice * SLICE // MINUTE),
            key._replace(width=WHOLE_RUN, slice=0),
        ):
            folded.setdefault(coarse, Slice()).merge(part)
    return folded


def widest(wanted_s: float) -> int:
    """The widest stored slice that a bucket of that width is a whole number of."""
    return MINUTE if wanted_s % MINUTE == 0 else SLICE


def merge_all(slices: Sequence[Slice]) -> Slice:
    """The sum of slices, in a slice of its own."""
    total = Slice()
    for part in slices:
        total.merge(part)
    return total
