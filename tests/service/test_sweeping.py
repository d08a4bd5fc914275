"""Sweeps end to end, over real HTTP: measured, kept, refused, cut short, gone on with, applied."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from core.base.errors import BrigadeError, ConfigError, RunError, UnknownError
from core.base.records import RunStatus
from core.base.settings import load_settings
from core.base.views import SweepView
from core.practice import PracticeProcess
from core.service import Service
from core.tuning.sweep_order import SweepOrder
from tests.service.conftest import SETTINGS, WORKLOAD, Open, Server, until

PLACES = 300
SENTENCES = ("The service was quick.", "The prices are fair.", "The noodles tasted wonderful.")


@pytest.fixture(scope="session")
def seated() -> Iterator[Server]:
    """A server of eight seats that takes a tenth of a second for each call: its knee is at eight."""
    with PracticeProcess("fixed", latency_s=0.1, seats=8, answers="brief") as process:
        yield Server(process.url)


@pytest.fixture(scope="session")
def larder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with enough restaurants for a sweep, imported once."""
    folder = tmp_path_factory.mktemp("larder")
    file = folder / "reviews.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for r in range(PLACES):
            for n in range(3):
                row = {"restaurant_id": f"r{r}", "restaurant_name": f"Place {r}", "review_id": f"v{n}"}
                out.write(json.dumps(row | {"text": f"{SENTENCES[n]} Visit {n} to place {r}."}) + "\n")
    config = folder / "larder.toml"
    config.write_text(SETTINGS, encoding="utf-8")
    settings = load_settings(config=config, env={}, cli={"db": folder / "db" / "b.db"}, dotenv=None)
    with Service.open(settings, {}) as service:
        service.import_file(file)
    return folder / "db"


@pytest.fixture
def kitchen(fresh: Open, larder: Path, tmp_path: Path) -> Open:
    """Opens services on one copy of the larder."""
    shutil.copytree(larder, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.ballast"))
    return fresh


def order(*limits: int, **more: object) -> SweepOrder:
    return SweepOrder(WORKLOAD, "all", limits=limits, endpoint="practised", **more)  # type: ignore[arg-type]


def swept(service: Service, wanted: SweepOrder) -> SweepView:
    """Start a sweep and wait for its end."""
    sweep_id = service.start_sweep(wanted, who="ann")
    service.wait(sweep_id, 60)
    return service.sweep(sweep_id)


def test_a_grid_is_measured_and_everything_is_in_the_ledger(kitchen: Open, seated: Server) -> None:
    """Each limit has its point near what the law says; the run ends by itself, and what it did not need is pending."""
    service = kitchen(seated.endpoint)
    before = seated.log()
    found = swept(service, order(2, 4, 8, 16))
    assert (found.status, found.outcome) == (RunStatus.FINISHED, "finished")
    assert found.reason.startswith("The sweep is through: 4 limits measured; use ")
    assert [p.limit for p in found.points] == [2, 4, 8, 16]
    rates = {p.limit: p.calls_per_s for p in found.points}
    assert rates[2] < rates[4] < rates[8]
    assert rates[16] < 1.5 * rates[8]
    for point in found.points:
        assert point.samples >= 14
        assert (point.failed, point.rate_limited) == (0, 0)
        assert point.cost_item_usd is not None
        assert point.cost_item_usd > 0
    run = service.run(found.id)
    assert run.pending > 0
    assert run.selected == run.done + run.pending + run.failed + run.no_reviews + run.refused
    measured = service.measures(found.id)
    assert measured["calls"]["llm"] == seated.since(before)["calls"]
    assert Decimal(str(measured["cost_usd"])) == pytest.approx(seated.since(before)["cost_usd"])


def test_the_knee_of_eight_seats_is_eight(kitchen: Open, seated: Server) -> None:
    """Without a grid: few limits, dense at the knee, which nearly all of the throughput needs."""
    service = kitchen(seated.endpoint)
    found = swept(service, order())
    knee = service.frontier(found).knee
    assert knee is not None
    assert 6 <= knee <= 20
    assert max(p.limit for p in found.points) <= 64


def test_a_finished_sweep_can_be_gone_on_with_as_a_run(kitchen: Open, seated: Server) -> None:
    """The items that it did not need are done by resuming; what is measured stays as it was."""
    service = kitchen(seated.endpoint)
    found = swept(service, SweepOrder(WORKLOAD, "24", limits=(4,), endpoint="practised"))
    service.resume(found.id, who="ann")
    service.wait(found.id, 60)
    run = service.run(found.id)
    assert (run.status, run.pending) == (RunStatus.FINISHED, 0)
    assert service.sweep(found.id).points == found.points
    assert service.sweep(found.id).outcome == "finished"


def test_an_interrupted_sweep_goes_on_with_the_limits_that_are_left(kitchen: Open, seated: Server) -> None:
    """Another process measures the rest; no limit is measured twice."""
    first = kitchen(seated.endpoint)
    sweep_id = first.start_sweep(order(2, 4, 8), who="ann")
    until(lambda: first.sweep(sweep_id).points)
    first.close(5.0)
    second = kitchen(seated.endpoint)
    stopped = second.sweep(sweep_id)
    assert (stopped.status, stopped.outcome) == (RunStatus.INTERRUPTED, "short")
    assert "The program was closed" in stopped.why
    second.resume(sweep_id, who="ben")
    second.wait(sweep_id, 60)
    found = second.sweep(sweep_id)
    assert [p.limit for p in found.points] == [2, 4, 8]
    assert (found.outcome, found.why) == ("finished", "")


def test_a_server_that_dies_in_mid_sweep_leaves_what_was_measured(kitchen: Open) -> None:
    """The sweep ends, says at which limit and why, and the points so far are there."""
    with PracticeProcess("fixed", latency_s=0.1, answers="brief") as process:
        service = kitchen(Server(process.url).endpoint)
        sweep_id = service.start_sweep(order(2, 4, 8), who="ann")
        until(lambda: service.sweep(sweep_id).points)
        process.stop()
        service.wait(sweep_id, 60)
    found = service.sweep(sweep_id)
    assert found.points
    assert len(found.points) < 3
    assert found.outcome == "short"
    assert "stopped answering" in found.why or "failed" in found.why


def test_a_budget_ends_a_sweep_that_costs_more_than_was_thought(kitchen: Open, seated: Server) -> None:
    """The estimate is from cheap calls; the run's own guard stops before the budget is passed."""
    service = kitchen(seated.endpoint)
    found = swept(service, order(2, 4, 8, budget=Decimal("1")))
    assert found.cost_usd is not None
    sweep_id = service.start_sweep(order(2, 4, 8, budget=found.cost_usd * Decimal("1.5")), who="ann")
    service.control(sweep_id, "model", "aspect_summary=practice-small", who="ann")
    service.wait(sweep_id, 60)
    assert (service.run(sweep_id).cost_usd or 0) <= found.cost_usd * Decimal("1.5")


def test_a_search_sweep_sends_no_model_call(kitchen: Open, seated: Server) -> None:
    """Searches are measured alone: nothing is paid."""
    service = kitchen(seated.endpoint)
    found = swept(service, SweepOrder(WORKLOAD, "all", resource="search", limits=(1, 2)))
    assert [p.limit for p in found.points][:1] == [1]
    assert all(p.tokens == 0 and p.cost_item_usd is None for p in found.points)
    assert service.measures(found.id)["calls"]["llm"] == 0
    assert (found.endpoint, found.server, found.model) == ("search", "edge", "")


def test_items_that_run_out_are_said(kitchen: Open, seated: Server) -> None:
    """Fewer than the schedule needs: what is there is measured, and the sweep says that it was cut short."""
    service = kitchen(seated.endpoint)
    wanted = SweepOrder(WORKLOAD, "40", limits=(2, 4, 64), endpoint="practised")
    told = service.estimate_sweep(wanted)
    assert (told.items, told.reachable) == (40, (2, 4))
    assert told.items_needed > 40
    found = swept(service, wanted)
    assert [p.limit for p in found.points] == [2, 4]
    assert found.outcome == "short"


def refused(service: Service, wanted: SweepOrder, kind: type[BrigadeError], words: str) -> None:
    before = len(service.runs())
    with pytest.raises(kind, match=words):
        service.start_sweep(wanted, who="ann")
    assert len(service.runs()) == before


def test_what_cannot_be_swept_is_refused_before_anything_is_sent(kitchen: Open, seated: Server) -> None:
    """Unknown names, too few items, too small a budget, a limit above the endpoint's own: each with its way out."""
    service = kitchen(seated.endpoint.replace("models =", "limit = 16\nmodels ="))
    before = seated.log()["calls"]
    refused(service, SweepOrder(WORKLOAD, "all", endpoint="nope"), UnknownError, "there are practised")
    refused(service, SweepOrder(WORKLOAD, "all", preset="nope"), UnknownError, "there are zero")
    refused(service, order(1, model="other"), UnknownError, "does not serve 'other'")
    refused(service, order(8, 32), ConfigError, "above the limit of 16 that endpoint 'practised' has; sweep up to 16")
    refused(service, SweepOrder(WORKLOAD, "3", limits=(8,), endpoint="practised"), RunError, "3 items are too few")
    refused(service, order(4, budget=Decimal("0.000001")), RunError, "the budget is 0.000001 USD")
    refused(service, SweepOrder("celtic-cross", "all", resource="search"), ConfigError, "has no searches")
    assert seated.log()["calls"] == before
    assert service.sweeps() == []


def test_an_adaptive_sweep_stays_below_the_endpoints_own_limit(kitchen: Open, seated: Server) -> None:
    """The endpoint's configured limit is the highest that is tried."""
    service = kitchen(seated.endpoint.replace("models =", "limit = 5\nmodels ="))
    assert max(service.estimate_sweep(order()).limits) == 5
    assert max(p.limit for p in swept(service, order()).points) <= 5


def test_two_tuners_on_one_server_are_not_begun(kitchen: Open, seated: Server) -> None:
    """A sweep beside a run in auto on the same server is refused, and names that run."""
    service = kitchen(seated.endpoint)
    run = service.start(WORKLOAD, "all", who="ann", llm_limit="auto", llm_bounds=(1, 2))
    until(lambda: service.store._readers.value("SELECT count(*) FROM tuners"))
    refused(service, order(4), RunError, f"Run {run} tunes .* already")
    service.control(run, "cancel", who="ann")
    service.wait(run, 30)


def test_the_knee_is_applied_to_the_run_in_progress(kitchen: Open, seated: Server) -> None:
    """It gets the limit with the reason; without one, later runs begin with it."""
    service = kitchen(seated.endpoint)
    found = swept(service, order(2, 4, 8))
    knee = service.frontier(found).knee
    run = service.start(WORKLOAD, "all", who="ann", llm_limit=1)
    assert service.apply_sweep(found.id, who="ben") == [run]
    command = service.controls(run)[0]
    assert (command.action, command.new, command.who) == ("llm_limit", str(knee), "ben")
    assert command.reason == f"The knee of sweep {found.id}."
    service.control(run, "cancel", who="ann")
    service.wait(run, 30)
    assert service.usual_limit("llm") == 16
    assert service.apply_sweep(found.id, who="ben") == []
    assert service.usual_limit("llm") == knee
    later = service.start(WORKLOAD, "4", who="ann")
    service.wait(later, 30)
    assert service.run(later).llm_limit == knee


def test_a_sweep_without_a_point_cannot_be_applied(kitchen: Open, seated: Server) -> None:
    """Stopped before its first measurement."""
    service = kitchen(seated.endpoint)
    sweep_id = service.start_sweep(order(1), who="ann")
    service.control(sweep_id, "cancel", who="ann")
    service.wait(sweep_id, 30)
    with pytest.raises(RunError, match="measured nothing"):
        service.apply_sweep(sweep_id, who="ann")
    assert service.sweep(sweep_id).outcome == "short"


def test_the_second_estimate_knows_the_first_sweep(kitchen: Open, seated: Server) -> None:
    """Caps before anything was measured; then the tokens of history and the times of the earlier sweep."""
    service = kitchen(seated.endpoint)
    first = service.estimate_sweep(order(2, 4, 8))
    assert (first.basis, first.duration_s) == ("caps", None)
    assert first.cost_usd is not None
    found = swept(service, order(2, 4, 8))
    second = service.estimate_sweep(order(2, 4, 8))
    assert second.basis == "sweep"
    assert second.duration_s is not None
    assert second.duration_s[0] == pytest.approx(service.run(found.id).wall_s, rel=0.5)
    assert second.cost_usd is not None
    assert found.cost_usd is not None
    assert found.cost_usd <= second.cost_usd[1] * Decimal("1.2")
    assert second.cost_usd[1] < first.cost_usd[1]


def test_a_rehearsal_needs_no_configured_server(kitchen: Open) -> None:
    """A preset is started for the sweep and is the endpoint of no configuration; its costs are simulated."""
    service = kitchen()
    wanted = SweepOrder(WORKLOAD, "all", limits=(4, 8), preset="zero")
    assert service.estimate_sweep(wanted).simulated
    found = swept(service, wanted)
    assert (found.endpoint, found.server, found.outcome) == ("rehearsal-zero", "practice zero", "finished")
