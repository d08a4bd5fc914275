"""Sketches: quantiles within one percent, the same whether merged or not."""

from __future__ import annotations

import random

import pytest
from ddsketch import DDSketch

from core.store.sketches import Sketch

random.seed(7)
SHAPES = {
    "latencies": [random.lognormvariate(0.0, 0.8) for _ in range(20_000)],
    "two servers": [random.gauss(0.2, 0.02) if n % 3 else random.gauss(4, 0.5) for n in range(20_000)],
    "all the same": [0.25] * 100,
}


def sketch_of(values: list[float]) -> Sketch:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    return sketch


@pytest.mark.parametrize("values", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95, 0.99, 1.0])
def test_quantiles_are_within_one_percent(values: list[float], share: float) -> None:
    """Of the exact ones, also after four pieces were stored, read and merged."""
    exact = sorted(values)[int(share * (len(values) - 1))]
    merged = Sketch.of(sketch_of(values[n::4]).to_bytes() for n in range(4))
    assert merged.quantile(share) == pytest.approx(exact, rel=0.0101)
    assert merged.bins == sketch_of(values).bins


def test_it_is_the_ddsketch_of_the_package() -> None:
    """The same values give the same quantiles as the reference implementation."""
    reference, ours = DDSketch(0.01), sketch_of(SHAPES["latencies"])
    for value in SHAPES["latencies"]:
        reference.add(value)
    for share in (0.01, 0.5, 0.9, 0.999):
        assert ours.quantile(share) == pytest.approx(reference.get_quantile_value(share))


def test_nothing_and_next_to_nothing() -> None:
    """An empty sketch has no quantile and takes no column; waits below a microsecond are zero."""
    assert Sketch().quantile(0.5) is None
    assert Sketch().to_bytes() is None
    waits = sketch_of([0.0, 0.0, -0.5, 1e-9, 2.0])
    assert waits.quantile(0.5) == 0.0
    assert waits.count == 5
    assert Sketch.from_bytes(waits.to_bytes()).bins == waits.bins


def test_a_slice_is_small() -> None:
    """Two thousand latencies take less than three kilobytes."""
    assert len(sketch_of(SHAPES["latencies"][:2000]).to_bytes() or b"") < 3000
