"""A sweep's limit on simulated servers with a virtual clock: each point is told once, with what else happened there."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.base.records import Usage
from core.base.views import SweepPoint
from core.flow.limits import SweepLimit
from core.tuning.sweep import frontier
from core.tuning.sweep_watch import SweepWatch, Told
from tests.sim.scenarios import LONG, SCENARIOS, SMALL, outage
from tests.sim.world import Scenario, World
from tests.support.clock import FakeClock

GRID = (4, 16, 32, 64, 128)


class Listener:
    """Keeps what a watch tells."""

    def __init__(self) -> None:
        self.points: list[SweepPoint] = []
        self.ends = 0

    def ended(self) -> None:
        self.ends += 1

    @property
    def told(self) -> Told:
        return Told(self.points.append, self.ended, price)


def price(usage: Usage, calls_per_s: float) -> Decimal | None:
    return Decimal(usage.output_tokens) / 1000


def swept(scenario: Scenario, limit: SweepLimit, seed: int = 1) -> Listener:
    """A sweep on a simulated server, until it is through or the scenario's time is over."""
    heard = Listener()
    World(scenario, SweepWatch(limit, heard.told, FakeClock()), seed).run()
    return heard


@pytest.mark.parametrize("seed", range(5))
def test_each_point_is_told_once_and_the_end_too(seed: int) -> None:
    """In the order of measuring, however much goes on afterwards."""
    heard = swept(SCENARIOS["batch 64"], SweepLimit(GRID), seed)
    assert [p.limit for p in heard.points] == list(GRID)
    assert heard.ends == 1
    assert all(p.calls >= p.samples for p in heard.points)
    assert all(p.p50_s is not None and p.p50_s > 0 for p in heard.points)


@pytest.mark.parametrize("seed", range(5))
def test_the_knee_of_64_seats_is_found_on_the_grid(seed: int) -> None:
    """The frontier of what was told says what the law says: throughput ends with the seats."""
    found = frontier(swept(SCENARIOS["batch 64"], SweepLimit(GRID), seed).points)
    assert found.verdict == "knee"
    assert found.knee is not None
    assert 50 <= found.knee <= 66


def test_rejections_are_counted_at_their_limit() -> None:
    """A server with a queue of four rejects what is beyond; the counts say where."""
    scenario = SCENARIOS["8 seats, queue of 4"]
    heard = swept(scenario, SweepLimit((4, 8, 14)))
    rejected = {p.limit: p.rate_limited for p in heard.points}
    assert rejected[4] == rejected[8] == 0
    assert rejected.get(14, 1) > 0


def test_the_price_of_an_item_is_that_of_the_calls_at_the_limit() -> None:
    """Mean tokens of the answers that came back there."""
    for point in swept(SCENARIOS["batch 64"], SweepLimit((16, 32))).points:
        assert point.cost_item_usd == pytest.approx(Decimal("0.2"), rel=Decimal("0.25"))


def test_an_outage_ends_the_sweep_with_what_was_measured() -> None:
    """What came before stands, and the watch says why there is no more."""
    heard = Listener()
    watch = SweepWatch(SweepLimit((4, 8, 16, 32)), heard.told, FakeClock())
    World(Scenario("outage", SMALL, LONG, seconds=400.0, events=(outage(60.0, 200.0),)), watch, 1).run()
    assert heard.points
    assert len(heard.points) < 4
    assert heard.ends == 1
    assert watch.why
