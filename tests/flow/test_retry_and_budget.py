"""Back-off, retry budget and money."""

from __future__ import annotations

import random
from decimal import Decimal

from core.flow import Backoff, Budget, RetryBudget


def test_waits_are_drawn_below_a_doubling_ceiling() -> None:
    """Retry n waits between nothing and base * 2^n, never above the cap, and not always the same."""
    backoff = Backoff(base_s=1.0, cap_s=8.0, rng=random.Random(7))
    for retry in range(12):
        waits = {backoff.wait(retry) for _ in range(200)}
        assert min(waits) >= 0.0
        assert max(waits) <= min(8.0, 2.0**retry)
        assert max(waits) > 0.8 * min(8.0, 2.0**retry)


def test_waits_are_short_where_calls_are() -> None:
    """The base is half of what calls take, between a twentieth of a second and the base itself."""
    backoff = Backoff(rng=random.Random(7))
    for latency_s, base in ((0.3, 0.15), (0.001, 0.05), (4.0, 0.5), (0.0, 0.5)):
        for retry in range(4):
            waits = [backoff.wait(retry, latency_s) for _ in range(400)]
            assert 0.9 * base * 2**retry < max(waits) <= base * 2**retry


def test_the_retry_budget_is_a_floor_and_a_share() -> None:
    """After 100 calls 50 + 10 retries may be spent and not one more."""
    budget = RetryBudget()
    for _ in range(100):
        budget.call()
    assert [budget.spend() for _ in range(61)].count(True) == 60


def test_money_in_flight_counts_at_admission() -> None:
    """Reserved and settled together never pass the limit; settling below the reservation frees money."""
    budget = Budget(Decimal("1.00"))
    assert budget.reserve(Decimal("0.60"))
    assert not budget.reserve(Decimal("0.50"))
    budget.settle(Decimal("0.60"), Decimal("0.10"))
    assert budget.reserve(Decimal("0.90"))
    assert budget.settled == Decimal("0.10")


def test_no_limit_and_no_price_never_refuse() -> None:
    """Without a limit all is admitted; an unpriced call costs nothing of a budget."""
    assert Budget().reserve(Decimal(10**9))
    assert Budget(Decimal(0)).reserve(None)
