"""What the service tells of the day's money, and what it takes for the day's budget."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.base.errors import ConfigError
from core.base.records import RunStatus
from core.base.views import DayView
from tests.service.conftest import WORKLOAD, Open, Server


def test_the_day_counts_all_runs_and_keeps_the_budget_for_every_process(opened: Open, steady: Server) -> None:
    """Nothing at first; then what the run cost; a budget that was set, and one that was taken back."""
    service = opened(steady.endpoint)
    assert service.day() == DayView(Decimal(0), None)
    run_id = service.start(WORKLOAD, "2", who="test", llm_limit=2, search_limit=2)
    ended = service.wait(run_id, 60)
    assert ended.status is RunStatus.FINISHED
    service.set_day_budget(Decimal("2.50"), who="dana")
    assert service.day() == DayView(ended.cost_usd or Decimal(0), Decimal("2.50"))
    assert service.store.settings.get("budget.day") == "2.50"
    service.set_day_budget(None, who="dana")
    assert service.day().budget_usd is None


def test_a_run_stops_at_the_day_that_was_set(opened: Open, steady: Server) -> None:
    """A budget of nothing: no call that costs something is sent."""
    service = opened(steady.endpoint)
    service.set_day_budget(Decimal(0), who="dana")
    run = service.wait(service.start(WORKLOAD, "2", who="test", llm_limit=2, search_limit=2), 60)
    assert run.status is RunStatus.BUDGET
    assert run.reason.startswith("The day's budget of 0 USD is reached")


@pytest.mark.parametrize("amount", ["-1", "NaN", "Infinity"])
def test_what_is_no_amount_is_refused(opened: Open, steady: Server, amount: str) -> None:
    service = opened(steady.endpoint)
    with pytest.raises(ConfigError, match="an amount in US dollars"):
        service.set_day_budget(Decimal(amount), who="dana")


def test_the_costs_of_a_run_are_split_by_todays_prices(opened: Open, steady: Server) -> None:
    """Each stage's parts add up to its cost."""
    service = opened(steady.endpoint)
    run_id = service.start(WORKLOAD, "2", who="test", llm_limit=2, search_limit=2)
    service.wait(run_id, 60)
    costs = {cost.stage: cost for cost in service.stage_costs(run_id)}
    paid = {stats.stage: stats.cost_usd for stats in service.stages(run_id) if stats.resource == "llm"}
    assert {stage: c.input_usd + c.cached_usd + c.output_usd for stage, c in costs.items()} == paid
    assert all(c.input_usd > 0 and c.output_usd > 0 for c in costs.values())
