"""What response headers say of quotas, as each provider writes it."""

from __future__ import annotations

import pytest

from core.flow import Load, Rates
from core.flow.rates_headers import Told, read
from tests.support.clock import FakeClock

# 2026-11-22T12:00:00Z
NOON = 1_795_348_800.0


def anthropic(**quotas: tuple[int, int, str]) -> dict[str, str]:
    """Headers of Anthropic's: limit, remaining and reset of each kind."""
    return {
        f"anthropic-ratelimit-{kind.replace('_', '-')}-{fact}": str(value)
        for kind, facts in quotas.items()
        for fact, value in zip(("limit", "remaining", "reset"), facts, strict=True)
    }


def test_anthropics_four_quotas_are_read() -> None:
    """Requests, tokens read and tokens written, each with the moment it is whole again as seconds from now."""
    headers = anthropic(
        requests=(50, 49, "2026-11-22T12:00:02Z"),
        tokens=(60_000, 41_000, "2026-11-22T12:00:19Z"),
        input_tokens=(50_000, 32_000, "2026-11-22T12:00:21.5Z"),
        output_tokens=(10_000, 9_000, "2026-11-22T14:00:06+02:00"),
    )
    assert read(headers, NOON) == [
        Told("requests", 50, 49, 2.0),
        Told("tokens", 60_000, 41_000, 19.0),
        Told("input-tokens", 50_000, 32_000, 21.5),
        Told("output-tokens", 10_000, 9_000, 6.0),
    ]


def test_a_quota_told_twice_counts_once() -> None:
    """Where Anthropic's tokens are the stricter of input and output, they are not counted against both together."""
    reset = "2026-11-22T12:00:06Z"
    headers = anthropic(
        tokens=(10_000, 9_000, reset), input_tokens=(50_000, 32_000, reset), output_tokens=(10_000, 9_000, reset)
    )
    assert [told.kind for told in read(headers, NOON)] == ["input-tokens", "output-tokens"]
    assert [told.kind for told in read(anthropic(tokens=(10_000, 9_000, reset)), NOON)] == ["tokens"]


def test_openais_spans_are_read() -> None:
    """`6m0s`, `120ms`: the time until a quota is whole again."""
    headers = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
        "X-RateLimit-Limit-Tokens": "200000",
        "x-ratelimit-remaining-tokens": "150000",
        "x-ratelimit-reset-tokens": "6m0s",
    }
    assert read(headers, NOON) == [Told("requests", 500, 499, 0.12), Told("tokens", 200_000, 150_000, 360.0)]


@pytest.mark.parametrize(
    ("load", "seconds"),
    [
        # 60,000 read and 6,000 written a minute: 100 of output take a second, and so do 1,000 of input.
        (Load(500, 100), 1.0),
        (Load(2_000, 100), 2.0),
        (Load(0, 300), 3.0),
    ],
)
def test_the_stricter_quota_sets_the_pace(load: Load, seconds: float) -> None:
    """A call waits for the tokens it reads and for those it may write, whichever take longer."""
    clock = FakeClock(NOON)
    rates = Rates(clock=clock)
    rates.observe(anthropic(input_tokens=(60_000, 60_000, ""), output_tokens=(6_000, 6_000, "")))
    while not rates.wait(load):
        rates.take(load)
    first = rates.wait(load)
    clock.now += first
    rates.take(load)
    assert first <= seconds
    assert rates.wait(load) == pytest.approx(seconds, rel=0.01)


def test_what_was_not_written_is_given_back() -> None:
    """A call that may write 100 tokens and writes ten leaves ninety for the next, and what it read is gone."""
    clock = FakeClock(NOON)
    rates = Rates(clock=clock)
    # A second's worth each at the start: 1,000 read, 100 written.
    rates.observe(anthropic(input_tokens=(60_000, 60_000, ""), output_tokens=(6_000, 6_000, "")))
    place = rates.take(Load(400, 100))
    assert rates.wait(Load(100, 50)) == pytest.approx(0.5)
    rates.settle(place, Load(400, 10))
    assert rates.wait(Load(100, 50)) == 0.0
    assert rates.wait(Load(1_000, 0)) == pytest.approx(0.4)
