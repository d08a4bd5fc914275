"""From a query to a head: what the fit promises, and that our arithmetic is the engine's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.records import Query
from core.search.probe import Probe, fit_head, make_probe
from core.search.probes import CAPACITY, Probes
from tests.search.conftest import HASH, Backend, asking, review

QUERY = asking("service", ["friendly waiter", "rude waiter", "slow service"], contrast=("cold soup", "cheap beer"))


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_the_two_sides_project_to_plus_and_minus_one(positive: int, negative: int, seed: int) -> None:
    """Whatever the numbers of phrasings and contrasts, their means lie at +1 and -1, so that cut-offs compare."""
    rng = np.random.default_rng(seed)
    sides = [unit(rng.standard_normal((count, 24))) for count in (positive, negative)]
    weights, offset = fit_head(*sides)
    means = [float((side @ weights + offset).mean()) for side in sides]
    assert means == pytest.approx([1, -1], abs=1e-3)


def test_identical_sides_do_no_harm() -> None:
    """Phrasings equal to the contrasts give finite numbers."""
    row = unit(np.ones((1, 24)))
    weights, offset = fit_head(row, row)
    assert np.isfinite(weights).all()
    assert np.isfinite(offset)
    probe = make_probe(Query("x", ("soup",), ("soup",)), HASH)
    assert np.isfinite(probe.floor)


def test_phrasings_score_high_and_contrasts_low() -> None:
    """On its own texts the head says yes and no."""
    probe = make_probe(QUERY, HASH)
    yes, no = (HASH.queries(texts) @ probe.direction for texts in (QUERY.phrasings, QUERY.contrast))
    assert min(probe.score(probe.raw(float(c), 0.0)) for c in yes) > 0.5
    assert max(probe.score(probe.raw(float(c), 0.0)) for c in no) < 0.5
    assert np.linalg.norm(probe.direction) == pytest.approx(1, abs=1e-5)


def test_keywords_only_ever_help() -> None:
    """A higher sparse score is a higher score, up to a bound."""
    probe = make_probe(QUERY, HASH)
    values = [probe.raw(0.1, sparse) for sparse in (0.0, 1.0, 10.0, 1e9)]
    assert values == sorted(values)
    assert values[-1] - values[0] <= 3.0


def test_the_engine_scores_as_we_do(backend: Backend) -> None:
    """Without keywords the engine's score is exactly ours: slope * cosine + offset through the sigmoid."""
    backend.filled(review("cafe", 1, "Friendly waiter. Cold soup. Grey sky.")).close()
    query = Query("service", QUERY.phrasings, QUERY.contrast)
    probe = make_probe(query, HASH)
    [found] = backend.search("cafe", query)
    assert len(found) == 3
    for evidence in found:
        cosine = float(HASH.documents([evidence.text])[0] @ probe.direction)
        assert evidence.score == pytest.approx(probe.score(probe.raw(cosine, 0.0)), abs=2e-3)


def test_a_probe_is_made_once() -> None:
    """Equal queries share one probe, and the least recently made goes when there are too many."""
    import asyncio

    loads: list[int] = []
    probes = Probes(lambda: loads.append(1) or HASH)  # type: ignore[func-returns-value]

    async def made() -> list[Probe]:
        first = await probes.of([QUERY])
        again = await probes.of([asking("service", QUERY.phrasings, contrast=QUERY.contrast)])
        for number in range(CAPACITY):
            await probes.of([Query("x", (f"soup {number}",))])
        return first + again + await probes.of([QUERY])

    first, again, later = asyncio.run(made())
    assert first is again
    assert later is not first
    assert loads == [1]
