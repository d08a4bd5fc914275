"""Faults on request, over real HTTP: what the client makes of them and what the server's log says."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from core.base.errors import BrokenReplyError, MalformedError, ModelError, RateLimitedError, ServerFaultError
from core.models import OpenAIModel
from core.practice.faults import Fate, Fates
from core.practice.presets import Preset, preset_of
from core.practice.server import PracticeServer
from tests.practice.test_server import REQUEST, ZERO, serving


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "error", "status"),
    [("errors", ServerFaultError, 500), ("resets", BrokenReplyError, 200), ("garbage", ModelError, 200)],
)
def test_a_fault_is_what_it_is_called(fault: str, error: type[ModelError], status: int, stream: bool) -> None:
    """A 500, a connection that breaks in mid-body, JSON cut off: whole and streamed, each is logged as failed."""

    async def use(model: OpenAIModel, practice: PracticeServer) -> None:
        with pytest.raises(error):
            await model.complete(replace(REQUEST, stream=stream))
        (entry,) = practice.log.entries(9)
        assert (entry.state, entry.status, entry.output_tokens) == ("failed", status, 0)
        assert practice.log.summary()["failed"] == 1

    serving(preset_of("zero", {fault: 1.0}), use)


def test_cut_off_json_is_malformed_and_not_merely_broken() -> None:
    """The body is as long as it says; it does not parse."""

    async def use(model: OpenAIModel, _: PracticeServer) -> None:
        with pytest.raises(MalformedError):
            await model.complete(REQUEST)

    serving(replace(ZERO, garbage=1.0), use)


def test_a_call_that_hangs_is_answered_late_or_leaves_no_trace() -> None:
    """After hang_s the answer comes; a client that left before is logged as gone, and nothing runs for it."""

    async def late(model: OpenAIModel, _: PracticeServer) -> str:
        return (await model.complete(REQUEST)).text

    async def leave(model: OpenAIModel, practice: PracticeServer) -> None:
        with pytest.raises(BrokenReplyError):
            await model.complete(replace(REQUEST, timeout=0.05))
        while practice.log.in_flight:
            await asyncio.sleep(0.005)
        assert practice.log.summary()["aborted"] == 1
        assert practice.law.running == 0

    assert serving(replace(ZERO, hangs=1.0, hang_s=0.02), late)
    serving(replace(ZERO, hangs=1.0, hang_s=60.0), leave)


def test_a_full_queue_says_so() -> None:
    """The rejection speaks of the queue, and the client hears it; one of a quota, a stray and a terse one do not."""

    async def full(model: OpenAIModel, _: PracticeServer) -> list[Any]:
        return await asyncio.gather(*(model.complete(REQUEST) for _ in range(4)), return_exceptions=True)

    async def rejected(model: OpenAIModel, _: PracticeServer) -> list[Any]:
        return await asyncio.gather(*(model.complete(REQUEST) for _ in range(3)), return_exceptions=True)

    for preset, use, busy in (
        (Preset("p", "", law="fixed", latency_s=0.05, seats=1, queue=1), full, True),
        (Preset("p", "", law="fixed", latency_s=0.05, seats=1, queue=1, terse=True), full, False),
        (replace(ZERO, rpm=1), rejected, False),
        (replace(ZERO, stray=1.0), rejected, False),
    ):
        errors = [error for error in serving(preset, use) if isinstance(error, RateLimitedError)]
        assert errors
        assert {error.busy for error in errors} == {busy}
        assert not (preset.terse and any(error.retry_after for error in errors))


def test_the_shares_are_kept_and_the_seed_decides() -> None:
    """Of ten thousand calls the shares hold to a tenth of a per cent or so; the same seed draws the same."""
    preset = replace(ZERO, errors=0.05, resets=0.02, garbage=0.01, hangs=0.003)
    drawn = [Fates(preset)] * 10_000
    fates = [one.draw() for one in drawn]
    for fate, share in ((Fate.ERROR, 0.05), (Fate.RESET, 0.02), (Fate.GARBAGE, 0.01), (Fate.HANG, 0.003)):
        assert fates.count(fate) / 10_000 == pytest.approx(share, abs=0.01)
    again, other = Fates(preset), Fates(replace(preset, seed=8))
    assert [again.draw() for _ in range(500)] == fates[:500] != [other.draw() for _ in range(500)]
