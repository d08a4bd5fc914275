"""A set of keys that only grows, in eight bytes a key: what a file of millions of rows has shown so far."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class KeySet:
    """Which strings were seen, kept as 64-bit hashes in sorted runs of geometric sizes.

    Two of four million keys share a hash with a chance of 4e-7.
    """

    def __init__(self) -> None:
        self._runs: list[npt.NDArray[np.uint64]] = []

    def __len__(self) -> int:
        return sum(run.size for run in self._runs)

    def add(self, keys: Sequence[str]) -> list[bool]:
        """Add the keys; for each whether it was there already, in an earlier call or earlier in this one."""
        hashes = np.frombuffer(b"".join(_hash(key) for key in keys), dtype=np.uint64)
        known = np.zeros(hashes.size, dtype=bool)
        for run in self._runs:
            places = np.minimum(np.searchsorted(run, hashes), run.size - 1)
            known |= run[places] == hashes
        unique, first = np.unique(hashes, return_index=True)
        again = np.ones(hashes.size, dtype=bool)
        again[first] = False
        self._merge(unique[~known[first]])
        return [bool(seen) for seen in known | again]

    def _merge(self, run: npt.NDArray[np.uint64]) -> None:
        """Take a sorted run in, merging while the last one is not twice as long."""
        while self._runs and self._runs[-1].size < 2 * run.size:
            run = np.union1d(self._runs.pop(), run)
        if run.size:
            self._runs.append(run)


def _hash(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=8).digest()
