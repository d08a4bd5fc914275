"""The real engine on virtual time against the practice servers' laws: forecasts keep within 10 % of the time and 5 % of
the cost of runs over items, and at limits, that they were not fitted to."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from core.base.endpoints import EndpointConfig
from core.base.records import Item
from core.base.views import StageHistory
from core.base.workload import Workload
from core.base.workload_files import find_workload
from core.practice.presets import Preset, preset_of
from core.store import Store
from core.tuning.forecast import forecast
from core.tuning.proposal import Proposal
from tests.tuning.virtual import Measured, keep, measure

GPU = preset_of("single-gpu-8b", {})
API = preset_of("fixed", {})
WORKLOADS = ("restaurant-reviews", "celtic-cross", "horoscope")


def some_items(workload: Workload, count: int, seed: int) -> list[Item]:
    """Items of the workload's kind, other ones for every seed; readings have three, five or ten cards."""
    rng = random.Random(seed)
    return [Item(f"{seed}-{n}", f"Item {seed}-{n}", workload.item_kind, _fields(workload, rng)) for n in range(count)]


def _fields(workload: Workload, rng: random.Random) -> dict[str, object]:
    if workload.item_kind == "reading":
        return {"cards": [{"id": f"c{n}", "position": f"p{n}"} for n in range(rng.choice((3, 5, 10)))]}
    if workload.item_kind == "day":
        return {"signs": [{"id": f"s{n}", "name": f"sign {n}"} for n in range(12)]}
    return {}


def history(path: Path, workload: Workload, preset: Preset, limits: tuple[int, ...]) -> list[StageHistory]:
    """What earlier runs over forty items each measured, at these limits."""
    for n, limit in enumerate(limits):
        items = some_items(workload, 40, n)
        keep(path, workload, items, measure(workload, items, preset, llm_limit=limit, seed=n), f"run-{n}")
    with Store.open(path) as store:
        return store.reports.history(workload.id)


def assert_close(proposal: Proposal, known: list[StageHistory], measured: Measured) -> None:
    told = forecast(proposal, known)
    assert told.duration_s is not None
    assert told.cost_usd is not None
    assert told.duration_s[1] == pytest.approx(measured.duration_s, rel=0.10)
    assert told.duration_s[0] <= measured.duration_s <= told.duration_s[2]
    assert float(told.cost_usd[1]) == pytest.approx(float(measured.cost_usd), rel=0.05)


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("preset", [GPU, API], ids=["gpu", "api"])
def test_other_items_at_the_same_and_at_another_limit(tmp_path: Path, name: str, preset: Preset) -> None:
    """Fitted on runs at 4 and at 24 calls in flight, told for 120 other items at 12 and at 24."""
    workload = find_workload(name)
    known = history(tmp_path / "b.db", workload, preset, (4, 24))
    items = some_items(workload, 120, 99)
    for limit in (12, 24):
        measured = measure(workload, items, preset, llm_limit=limit, seed=99)
        assert_close(Proposal(workload, 120, items, limit, 8), known, measured)


def test_a_single_run_tells_another_over_other_items(tmp_path: Path) -> None:
    """One earlier run of forty restaurants is enough for three hundred others at its limit."""
    workload = find_workload("restaurant-reviews")
    known = history(tmp_path / "b.db", workload, GPU, (16,))
    items = some_items(workload, 300, 99)
    measured = measure(workload, items, GPU, llm_limit=16, seed=99)
    assert_close(Proposal(workload, 300, items, 16, 8), known, measured)


def test_seats_of_several_endpoints_are_kept(tmp_path: Path) -> None:
    """Measured on one server, told for two that have four and eight seats of their own."""
    workload = find_workload("restaurant-reviews")
    known = history(tmp_path / "b.db", workload, GPU, (4, 24))
    items = some_items(workload, 120, 99)
    measured = measure(workload, items, GPU, llm_limit=64, seed=99, seats=(4, 8))
    servers = (EndpointConfig("gpu0", limit=4), EndpointConfig("gpu1", limit=8))
    assert_close(Proposal(workload, 120, items, 64, 8, servers={"small": servers}), known, measured)


def test_a_change_too_far_is_not_claimed_to_be_known(tmp_path: Path) -> None:
    """At four times what was measured on a server of sixteen seats the forecast is off, and its range says so."""
    workload = find_workload("restaurant-reviews")
    seats = preset_of("single-gpu-8b", {"seats": 16})
    known = history(tmp_path / "b.db", workload, seats, (4, 16))
    items = some_items(workload, 200, 99)
    measured = measure(workload, items, seats, llm_limit=64, seed=99)
    told = forecast(Proposal(workload, 200, items, 64, 8), known)
    assert told.basis == "extrapolation"
    assert told.duration_s is not None
    assert told.duration_s[0] <= measured.duration_s <= told.duration_s[2]
