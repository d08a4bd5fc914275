"""Which rejections speak of too many calls at once."""

from __future__ import annotations

import pytest

from core.models.crowding import too_many_at_once
from core.models.statuses import error_of_status

CROWD = [
    (429, "queue_full Too many requests are waiting."),
    (429, "rate_limit_exceeded You have too many concurrent requests; your concurrency rate limit is 8."),
    (429, "Too many simultaneous requests"),
    (429, "Model is overloaded"),
    (503, "Service is at capacity, try again shortly"),
    (503, "no slot available"),
    (503, "The server is busy"),
    (529, "overloaded_error Overloaded"),
]
OTHER = [
    (429, ""),
    (429, "Too Many Requests"),
    (429, "rate_limit_exceeded Rate limit reached for requests or tokens per minute. Please try again in 0.4s."),
    (429, "rate_limit_exceeded Please try again."),
    (429, "You exceeded your current quota of 600 RPM; our servers are busy"),
    (503, "upstream connect error"),
    (500, "queue broke"),
    (400, "too many concurrent requests"),
]


@pytest.mark.parametrize(("status", "said"), CROWD, ids=lambda value: str(value)[:30])
def test_words_of_seats_and_queues_mean_the_crowd(status: int, said: str) -> None:
    """What servers say when they take no more calls at once, also where they call that a rate limit."""
    assert too_many_at_once(status, said)


@pytest.mark.parametrize(("status", "said"), OTHER, ids=lambda value: str(value)[:30])
def test_quotas_silence_and_other_faults_do_not(status: int, said: str) -> None:
    """A quota per minute is not the crowd, and what says nothing is left to what follows."""
    assert not too_many_at_once(status, said)


@pytest.mark.parametrize(("status", "busy"), [(429, True), (503, True), (500, False)])
def test_an_error_knows_it(status: int, busy: bool) -> None:
    """The error made of an answer says whether it spoke of the crowd; one of another status does not."""
    body = b'{"error": {"message": "Too many requests are waiting.", "code": "queue_full"}}'
    error = error_of_status(status, {}.get, body, host="gpu", now=0.0)
    assert error.busy is busy
