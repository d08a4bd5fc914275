"""Looking ahead and back through the service: real runs against practice servers, and what is told of them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.base.errors import RunError, UsageError
from core.base.records import RunStatus
from core.service import Service
from tests.service.conftest import WORKLOAD, Open, Server


def done(service: Service, items: str = "all", **over: object) -> str:
    """A run that is through; its id."""
    given: dict[str, object] = {"who": "test", "llm_limit": 2, "search_limit": 2, **over}
    run_id = service.start(WORKLOAD, items, **given)  # type: ignore[arg-type]
    assert service.wait(run_id, 60).status is RunStatus.FINISHED
    return run_id


def test_every_start_keeps_its_forecast_and_its_error_is_shown(opened: Open, steady: Server) -> None:
    """The first run knows nothing; the second is forecast from it, and its error is what it took against that."""
    service = opened(steady.endpoint)
    done(service)
    second = done(service)
    (error,) = service.forecast_errors(WORKLOAD)
    assert (error.run_id, error.items, error.as_ordered) == (second, 8, True)
    assert error.basis == "history"
    assert error.forecast_s is not None
    assert error.measured_s == pytest.approx(service.run(second).wall_s, abs=0.5)
    assert error.duration_error == pytest.approx(error.measured_s / error.forecast_s[1] - 1)
    assert error.cost_error == pytest.approx(0, abs=0.02)
    assert service.run(second).settings["forecast"]["llm_calls"] == 32


def test_a_changed_run_is_not_held_against_its_forecast(opened: Open, steady: Server) -> None:
    """A limit that somebody changed on the way makes the forecast one of another run."""
    service = opened(steady.endpoint)
    done(service)
    run_id = service.start(WORKLOAD, "all", who="test", llm_limit=1, search_limit=2)
    service.control(run_id, "llm_limit", "4", who="test")
    service.wait(run_id, 60)
    (error,) = service.forecast_errors(WORKLOAD)
    assert not error.as_ordered


def test_the_model_gate_is_blamed_and_more_is_suggested(opened: Open, steady: Server) -> None:
    """Two calls in flight on a server that takes any number: the gate was full; the gain is told as a range."""
    service = opened(steady.endpoint)
    told = service.attribution(done(service))
    assert (told.key, told.values["resource"], told.values["limit"]) == ("gate_full", "llm", 2)
    assert told.shares[0].share > 0.5
    assert sum(share.share for share in told.shares) <= 1.0 + 1e-9
    assert told.suggestion is not None
    assert (told.suggestion.key, told.suggestion.values["new"]) == ("raise_limit", 4)
    assert told.suggestion.basis == "extrapolation"
    assert service.constraints("last")


def test_a_sample_of_real_calls_is_a_basis(opened: Open, steady: Server) -> None:
    """Three restaurants really run, spread over the selection; what eight would take is told from them alone."""
    service = opened(steady.endpoint)
    before = steady.log()
    told = service.sample_forecast(WORKLOAD, "all", who="test", n=3, llm_limit=2, search_limit=2)
    assert steady.since(before)["calls"] == 12
    assert (told.basis, told.items, told.llm_calls) == ("sample", 8, 32)
    assert told.duration_s is not None
    assert told.duration_s[1] == pytest.approx(8 * 4 * 0.1 / 2, rel=0.35)
    assert told.caveats[0].key == "sampled"
    assert told.caveats[0].values["items"] == 3


def test_a_sample_stops_at_its_budget(opened: Open, steady: Server) -> None:
    """Where the money for a sample does not reach for one item, that is an error that names the run, not a forecast."""
    service = opened(steady.endpoint)
    with pytest.raises(RunError, match="got none of its 3 items done"):
        service.sample_forecast(WORKLOAD, "all", who="test", n=3, llm_limit=2, budget=Decimal("0.000001"))


def test_plans_and_scale_rest_on_what_was_measured(opened: Open, steady: Server) -> None:
    """Ten million restaurants, more than the catalogue has: servers for days, days for servers, limits for a wish."""
    service = opened(steady.endpoint)
    assert service.scale(WORKLOAD, 10_000_000, gpus=1) is None
    done(service)
    scale = service.scale(WORKLOAD, 10_000_000, gpus=4)
    assert scale is not None
    assert (scale.gpus, scale.items, scale.cost_basis) == (4, 10_000_000, "tokens")
    again = service.scale(WORKLOAD, 10_000_000, days=scale.days[1] / 2)
    assert again is not None
    assert again.gpus == pytest.approx(8, abs=1)
    plan = service.plan_for(WORKLOAD, 1000, deadline_s=3600.0, budget=Decimal(100))
    assert plan.best is not None
    assert plan.best.feasible
    assert service.plan_for(WORKLOAD, 1000, deadline_s=0.001).options == ()
    with pytest.raises(UsageError):
        service.scale(WORKLOAD, 10, gpus=1, days=1.0)


def test_what_if_knows_copies_of_the_servers(opened: Open, steady: Server) -> None:
    """Twice the servers cannot make a run longer, and are said to be taken for as fast as those measured."""
    service = opened(steady.endpoint)
    done(service)
    one, two = (service.what_if(WORKLOAD, 500, llm_limit=4, copies=n) for n in (1, 2))
    assert one.duration_s is not None
    assert two.duration_s is not None
    assert two.duration_s[1] <= one.duration_s[1] * 1.02
    assert "borrowed_endpoint" in {caveat.key for caveat in two.caveats}


def test_time_saved_and_what_was_in_flight(opened: Open, steady: Server) -> None:
    """Two at a time is nearly twice as fast as one by one, and never more than two were out."""
    service = opened(steady.endpoint)
    told = service.time_saved(done(service))
    assert 1.5 < told.speedup < 2.3
    assert told.saved_s[0] <= told.saved_s[1] <= told.saved_s[2]
    assert told.in_flight_peak["llm"] == 2
    assert 0 < told.in_flight_mean["llm"] <= 2


def test_a_sample_is_started_without_waiting_and_is_history_afterwards(opened: Open, steady: Server) -> None:
    """Its id comes back while it runs; three of eight restaurants, and then the whole can be told."""
    service = opened(steady.endpoint)
    run_id = service.start_sample(WORKLOAD, "all", who="test", n=3, llm_limit=2, search_limit=2)
    assert service.run(run_id).selected == 3
    assert service.wait(run_id, 60).status is RunStatus.FINISHED
    assert service.forecast(WORKLOAD, "all", llm_limit=2).duration_s is not None
