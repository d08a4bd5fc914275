"""Millions of items: servers, days and dollars by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from core.base.endpoints import EndpointConfig
from core.base.errors import UsageError
from core.base.views import Level
from core.tuning.scale import Ask, scale
from tests.tuning.seen import HISTORY, places

DAY_S = 86_400
MANY = 10_000_000
FLAT_TO_8 = tuple(Level(n, 50, max(1.0, n / 8)) for n in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0))
EIGHT_SEATS = (HISTORY[0], *(replace(h, levels=FLAT_TO_8) for h in HISTORY[1:]))


def test_days_follow_from_servers() -> None:
    """A server of eight seats does 8 / 5 restaurants a second: four of them need ten million / 6.4 / 86,400 days."""
    told = scale(places(MANY, llm_limit=8), EIGHT_SEATS, Ask(gpus=4))
    assert told is not None
    assert told.days[1] == pytest.approx(MANY / (4 * 8 / 5) / DAY_S, rel=0.05)
    assert told.days[0] < told.days[1] < told.days[2]
    assert told.llm_calls == 4 * MANY
    assert told.input_tokens == 4 * MANY * 100


def test_servers_follow_from_days() -> None:
    """In half of that time twice as many servers are needed; the days are then within the wish."""
    told = scale(places(MANY, llm_limit=8), EIGHT_SEATS, Ask(days=9.0))
    assert told is not None
    assert told.gpus == pytest.approx(MANY / (8 / 5) / DAY_S / 9, abs=1)
    assert told.days[1] <= 9.0


def test_the_limit_of_a_server_is_the_lowest_that_is_good() -> None:
    """Eight seats: with more in flight nothing is gained, so that the limit found is eight."""
    told = scale(places(MANY, llm_limit=0), EIGHT_SEATS, Ask(gpus=1))
    assert told is not None
    assert told.llm_limit == 8


def test_dollars_are_per_call_or_per_hour() -> None:
    """0.005 USD a restaurant are 50,000 USD; four servers at 2.50 USD an hour cost their days x 24 x 4 x 2.50."""
    tokens = scale(places(MANY, llm_limit=8), EIGHT_SEATS, Ask(gpus=4))
    hours = scale(places(MANY, llm_limit=8), EIGHT_SEATS, Ask(gpus=4, usd_per_gpu_hour=Decimal("2.50")))
    assert tokens is not None
    assert hours is not None
    assert tokens.cost_usd is not None
    assert hours.cost_usd is not None
    assert (tokens.cost_basis, hours.cost_basis) == ("tokens", "gpu_hours")
    assert tokens.cost_usd[1] == pytest.approx(Decimal(50_000))
    assert float(hours.cost_usd[1]) == pytest.approx(hours.days[1] * 24 * 4 * 2.50)


def test_searches_must_keep_up() -> None:
    """6.4 restaurants a second are 19.2 searches in 6.4 requests of 0.1 s: one in flight with a third to spare."""
    told = scale(places(MANY, llm_limit=8), EIGHT_SEATS, Ask(gpus=4))
    assert told is not None
    assert told.searches_per_s == pytest.approx(19.2, rel=0.05)
    assert told.search_limit == 1


def test_servers_come_in_whole_sets() -> None:
    """Where two different endpoints serve the model, five of them are two sets, and that is said."""
    servers = {"small": (EndpointConfig("gpu"), EndpointConfig("other"))}
    told = scale(places(MANY, llm_limit=16, servers=servers), EIGHT_SEATS, Ask(gpus=5))
    assert told is not None
    assert told.gpus == 4
    assert "whole_sets" in {caveat.key for caveat in told.caveats}


def test_without_history_there_is_no_plan() -> None:
    """Nothing measured, nothing told."""
    assert scale(places(MANY), (), Ask(gpus=1)) is None


@pytest.mark.parametrize("ask", [{}, {"gpus": 1, "days": 2.0}, {"gpus": 0}, {"days": 0.0}])
def test_one_of_servers_and_days_is_asked_for(ask: dict[str, float]) -> None:
    """Neither, both or nothing of one is a usage error that says what to give."""
    with pytest.raises(UsageError, match="say how many servers"):
        Ask(**ask)  # type: ignore[arg-type]
