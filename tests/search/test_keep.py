"""The best few sentences of a place with little to say stay below the cut-off."""

from __future__ import annotations

import numpy as np
import pytest

from core.base.records import Evidence, Query
from core.search.payload import CLEARLY_OTHER, ranked
from core.search.probe import Probe

SCORES = [0.9, 0.5, 0.4, 0.3, CLEARLY_OTHER - 0.01]


def kept(keep: int, cutoff: float | None = 0.6, scores: list[float] = SCORES, limit: int = 8) -> list[float]:
    probe = Probe(
        Query("price", ("cheap",), cutoff=cutoff, keep=keep, limit=limit), np.zeros(2, np.float32), 1, 0, True
    )
    found = [Evidence(f"v{n}", f"text {n}", score) for n, score in enumerate(scores)]
    return [evidence.score for evidence in ranked(found[::-1], probe)]


@pytest.mark.parametrize(("keep", "left"), [(0, 1), (1, 1), (3, 3), (4, 4)])
def test_the_best_stay_below_the_cut_off(keep: int, left: int) -> None:
    """As many as `keep` says, counted from the best."""
    assert kept(keep) == SCORES[:left]


def test_what_clearly_speaks_of_something_else_never_stays() -> None:
    """However few there are."""
    assert kept(8) == SCORES[:4]


def test_where_enough_pass_the_cut_off_nothing_is_added() -> None:
    """`keep` is a least, no extra."""
    assert kept(2, scores=[0.9, 0.8, 0.7, 0.5]) == [0.9, 0.8, 0.7]


def test_a_cut_off_below_that_bound_is_obeyed() -> None:
    """A workload that wants nearly all gets it."""
    assert kept(3, cutoff=0.1) == SCORES


def test_the_limit_is_the_most() -> None:
    """`keep` never lifts it."""
    assert kept(4, limit=2) == SCORES[:2]
