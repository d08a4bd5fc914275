"""Requests and tokens a minute, on a clock that is only a number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.practice.presets import PRESETS
from core.practice.quota import Quota

API = replace(PRESETS["api-rpm"], rpm=60, tpm=6_000, burst_s=5.0)


def test_the_bucket_holds_a_burst_then_the_rate() -> None:
    """Five seconds' worth at once, then one a second; a rejection uses up nothing and says when to come again."""
    quota = Quota(API, 0.0)
    assert [quota.admit(1, 0.0) for _ in range(5)] == [0.0] * 5
    assert quota.admit(1, 0.0) == pytest.approx(1.0)
    assert quota.admit(1, 0.4) == pytest.approx(0.6)
    assert quota.admit(1, 1.0) == 0.0


def test_tokens_count_too() -> None:
    """A call that would overrun the tokens waits for them, though requests are left; nothing is taken meanwhile."""
    quota = Quota(API, 0.0)
    assert quota.admit(400, 0.0) == 0.0
    assert quota.admit(400, 0.0) == pytest.approx(3.0)
    assert quota.headers()["x-ratelimit-remaining-requests"] == "4"


def test_a_call_larger_than_the_bucket_waits_for_a_full_one() -> None:
    """Such a call passes when the bucket is full, else it would wait for ever."""
    quota = Quota(API, 0.0)
    assert quota.admit(900, 0.0) == 0.0
    assert quota.admit(900, 0.0) == pytest.approx(9.0)


def test_the_headers_tell_limit_remaining_and_reset() -> None:
    """As OpenAI writes them."""
    quota = Quota(API, 0.0)
    quota.admit(100, 0.0)
    assert quota.headers() == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "4",
        "x-ratelimit-reset-requests": "1.000s",
        "x-ratelimit-limit-tokens": "6000",
        "x-ratelimit-remaining-tokens": "400",
        "x-ratelimit-reset-tokens": "1.000s",
    }


def test_a_server_without_limits_admits_everything_and_tells_nothing() -> None:
    """No quota, no headers."""
    quota = Quota(PRESETS["zero"], 0.0)
    assert quota.admit(10**9, 0.0) == 0.0
    assert quota.headers() == {}
