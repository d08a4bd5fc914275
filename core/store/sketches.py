"""Mergeable quantiles: the DDSketch of Masson, Rim and Lee (VLDB 2019), kept as sparse counts.

The bins are those of the `ddsketch` package at 1 % relative accuracy; only bins that hold something are stored, so
that a slice of five seconds costs a few hundred bytes.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson
from ddsketch.mapping import LogarithmicMapping

ACCURACY = 0.01
ZERO = -(2**31)
SMALLEST = 1e-6
_MAPPING = LogarithmicMapping(ACCURACY)
_key = _MAPPING.key


class Sketch:
    """Counts per bin of values from a microsecond up (shorter durations count as zero)."""

    __slots__ = ("bins",)

    def __init__(self, bins: dict[int, int] | None = None) -> None:
        self.bins = {} if bins is None else bins

    def __repr__(self) -> str:
        return f"<Sketch {self.count} values, median {self.quantile(0.5)}>"

    @property
    def count(self) -> int:
        """How many values it holds."""
        return sum(self.bins.values())

    def add(self, value: float) -> None:
        """Count a value."""
        key = _key(value) if value > SMALLEST else ZERO
        self.bins[key] = self.bins.get(key, 0) + 1

    def merge(self, other: Sketch) -> None:
        """Count everything the other holds."""
        for key, count in other.bins.items():
            self.bins[key] = self.bins.get(key, 0) + count

    def quantile(self, share: float) -> float | None:
        """The value below which that share lies, within 1 %; None when empty."""
        rank = share * (self.count - 1)
        seen = 0
        for key in sorted(self.bins):
            seen += self.bins[key]
            if seen > rank:
                return 0.0 if key == ZERO else float(_MAPPING.value(key))
        return None

    def to_bytes(self) -> bytes | None:
        """For a column; None when empty."""
        return orjson.dumps([list(self.bins), list(self.bins.values())]) if self.bins else None

    @classmethod
    def from_bytes(cls, data: bytes | None) -> Sketch:
        """What `to_bytes` gave."""
        return cls(dict(zip(*orjson.loads(data), strict=True)) if data else {})

    @classmethod
    def of(cls, blobs: Iterable[bytes | None]) -> Sketch:
        """The merger of stored sketches."""
        merged = cls()
        for blob in blobs:
            merged.merge(cls.from_bytes(blob))
        return merged
