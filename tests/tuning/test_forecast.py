"""The forecast: calls from the plan, time from the simulation, money by hand, and nothing invented."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base.endpoints import EndpointConfig
from core.base.views import Forecast, Level
from core.tuning.forecast import forecast
from core.tuning.proposal import Proposal
from tests.support.fakes import reviews_workload
from tests.tuning.seen import CARDS, HISTORY, LINE, PLACE, READING, places, seen


def caveats(told: Forecast) -> list[str]:
    return [caveat.key for caveat in told.caveats]


def test_without_history_the_calls_are_known_and_nothing_else() -> None:
    """A restaurant is three searches and four model calls; duration and cost are None, and it is said why."""
    told = forecast(places(10), ())
    assert (told.items, told.search_calls, told.llm_calls) == (10, 30, 40)
    assert (told.duration_s, told.cost_usd, told.basis) == (None, None, "none")
    assert caveats(told) == ["no_history"]


def test_a_reading_of_ten_cards_is_seven_calls() -> None:
    """Ten cards in batches of three are four calls, and one each for the whole, the relationships and the advice."""
    told = forecast(Proposal(CARDS, 6, [READING], 4, 2), ())
    assert (told.search_calls, told.llm_calls) == (0, 6 * (4 + 1 + 1 + 1))


def test_no_items_are_no_calls() -> None:
    """Nothing selected is nothing to do, without a basis; an item that cannot be planned counts for nothing."""
    assert forecast(replace(places(0), sample=()), HISTORY).basis == "none"
    broken = replace(READING, fields={"cards": "none"})
    assert forecast(Proposal(CARDS, 1, [broken], 4, 2), ()).llm_calls == 0


def test_one_item_takes_a_chain_of_calls() -> None:
    """With a single item the middle is one search, one aspect and one total after one another."""
    told = forecast(places(1), HISTORY)
    assert told.duration_s is not None
    assert told.duration_s[1] == pytest.approx(0.1 + 1.0 + 2.0)
    assert told.basis == "history"


def test_a_long_run_is_told_from_its_beginning() -> None:
    """Ten million restaurants at four permits: 5 s of calls each over 4, as three hundred of them are."""
    few, many = forecast(places(300), HISTORY), forecast(places(10_000_000), HISTORY)
    assert few.duration_s is not None
    assert many.duration_s is not None
    assert few.duration_s[1] == pytest.approx(300 * 5 / 4, rel=0.02)
    assert many.duration_s[1] == pytest.approx(10_000_000 * 5 / 4, rel=0.02)
    assert caveats(few) == []
    assert caveats(many) == ["steady_state"]
    assert many.bottleneck == "llm"


def test_the_cost_is_calls_times_the_mean() -> None:
    """By hand: 10 restaurants x (3 x 0.001 + 0.002) USD, at least 2 % to either side, in Decimal."""
    told = forecast(places(10), HISTORY)
    assert told.cost_usd is not None
    assert told.cost_usd[1] == Decimal("0.05")
    assert told.cost_usd[0] <= Decimal("0.049")
    assert told.cost_usd[2] >= Decimal("0.051")


def test_one_unpriced_stage_makes_the_cost_unknown() -> None:
    """A stage without a price is not free: the duration is told, the cost is None, and the stage is named."""
    told = forecast(places(10), (*HISTORY[:2], seen("total_summary", 2.0, cost=None)))
    assert told.cost_usd is None
    assert told.duration_s is not None
    assert told.caveats[-1].values == {"stages": ["total_summary"]}


def test_only_the_asked_models_history_counts() -> None:
    """History of another model is no basis; the search's counts for every model; the newest counts first."""
    models = dict.fromkeys(("aspect_summary", "total_summary"), "large")
    told = forecast(places(10, models=models), HISTORY)
    assert told.basis == "none"
    assert told.caveats[0].values == {"stages": ["aspect_summary", "total_summary"], "models": ["large"]}
    large = tuple(replace(h, model="large") for h in HISTORY[1:])
    assert forecast(places(10, models=models), (HISTORY[0], *large)).basis == "history"
    newest = forecast(places(1), (seen("total_summary", 50.0, model="new"), *HISTORY))
    assert newest.duration_s is not None
    assert newest.duration_s[1] == pytest.approx(0.1 + 1.0 + 50.0)


def test_a_stage_with_a_model_of_its_own_is_told_by_that() -> None:
    """Where the total goes to another model, that model's history is the basis."""
    mixed = (*HISTORY, seen("total_summary", 7.0, model="large"))
    proposal = Proposal(reviews_workload(), 1, [PLACE], 4, 2, models={"total_summary": "large"})
    told = forecast(proposal, mixed)
    assert told.duration_s is not None
    assert told.duration_s[1] == pytest.approx(0.1 + 1.0 + 7.0)


def test_more_in_flight_than_ever_measured_is_an_extrapolation() -> None:
    """Measured up to sixteen, asked for 128: the range reaches from no slower than there to no more than there."""
    history = [HISTORY[0], *(replace(h, levels=LINE) for h in HISTORY[1:])]
    told = forecast(places(300, llm_limit=128, search_limit=64), history)
    assert told.basis == "extrapolation"
    assert caveats(told) == ["beyond_measured"]
    assert told.duration_s is not None
    low, middle, high = told.duration_s
    most = (1 + 0.05 * 16) / 16 * 300 * 5 / 1.05
    assert high >= most
    assert low < middle < high
    assert high > 3 * low


def test_one_level_says_how_little_it_tells() -> None:
    """Measured at eight in flight only, asked for two: perhaps calls take as long, perhaps a quarter."""
    one = (Level(7.9, 50, 1.0), Level(8.0, 50, 1.0))
    history = [HISTORY[0], *(replace(h, levels=one, in_flight=8.0) for h in HISTORY[1:])]
    told = forecast(places(100, llm_limit=2), history)
    assert caveats(told) == ["one_level"]
    assert told.duration_s is not None
    assert told.duration_s[0] < 0.3 * told.duration_s[1]


def test_an_endpoint_that_was_never_measured_is_like_the_others() -> None:
    """Two configured servers of which one is known: twice as fast, and said to be borrowed."""
    saturated = [
        HISTORY[0],
        *(replace(h, levels=tuple(Level(n, 50, n) for n in (2.0, 8.0, 32.0))) for h in HISTORY[1:]),
    ]
    one = forecast(places(100, llm_limit=16), saturated)
    two = forecast(
        places(100, llm_limit=16, servers={"small": (EndpointConfig("gpu"), EndpointConfig("other"))}), saturated
    )
    assert one.duration_s is not None
    assert two.duration_s is not None
    assert two.duration_s[1] == pytest.approx(one.duration_s[1] / 2, rel=0.1)
    assert caveats(two) == ["borrowed_endpoint"]
    assert two.basis == "extrapolation"


def test_few_requests_are_said_to_be_few() -> None:
    """A stage measured seven times is told, with the number."""
    told = forecast(places(10), (*HISTORY[:2], replace(HISTORY[2], requests=7)))
    assert told.caveats[0].values == {"stage": "total_summary", "requests": 7}


def test_failed_tries_and_skipped_parts_are_in_time_and_money() -> None:
    """Half of the aspects without evidence: half of their calls, time and cost."""
    half = (HISTORY[0], replace(HISTORY[1], skip_share=0.5), HISTORY[2])
    told = forecast(places(300), half)
    assert told.cost_usd is not None
    assert told.duration_s is not None
    assert told.cost_usd[1] == Decimal("1.05")
    assert told.duration_s[1] == pytest.approx(300 * 3.5 / 4, rel=0.06)


@settings(max_examples=25, deadline=None)
@given(
    items=st.integers(1, 100_000),
    service=st.floats(0.001, 100),
    spread=st.floats(0, 1),
    llm=st.integers(1, 64),
    search=st.integers(1, 64),
)
def test_low_is_never_above_expected_nor_that_above_high(
    items: int, service: float, spread: float, llm: int, search: int
) -> None:
    """Whatever the history, 0 < low <= expected <= high, for time and for money."""
    history = [seen(stage, service, spread * service) for stage in ("search", "aspect_summary", "total_summary")]
    told = forecast(places(items, llm_limit=llm, search_limit=search), history)
    assert told.duration_s is not None
    assert told.cost_usd is not None
    assert 0 < told.duration_s[0] <= told.duration_s[1] <= told.duration_s[2]
    assert 0 < told.cost_usd[0] <= told.cost_usd[1] <= told.cost_usd[2]
