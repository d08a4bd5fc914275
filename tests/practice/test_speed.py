"""A practice server that is so many times as fast."""

from __future__ import annotations

import pytest

from core.base.errors import ConfigError
from core.practice.laws import Job
from core.practice.presets import preset_of
from core.practice.server import law_of


def seconds_of(name: str, speed: float) -> float:
    """Simulated seconds until ten calls of fifty tokens are through."""
    law, done = law_of(preset_of(name, {"speed": speed}), 0.0), []
    for _ in range(10):
        law.submit(Job(200, 50, done.append), 0.0)
    now = 0.0
    while (at := law.next_at) is not None:
        now = at
        law.advance(now)
    assert len(done) == 10
    return now


@pytest.mark.parametrize("name", ["single-gpu-8b", "kv-limited", "fixed"])
def test_a_law_takes_that_much_less_time(name: str) -> None:
    """Four times as fast: a quarter of the time, whatever the law."""
    assert seconds_of(name, 4.0) == pytest.approx(seconds_of(name, 1.0) / 4, rel=1e-6)


def test_quotas_are_hastened_too() -> None:
    """As many calls for the same work: the requests and tokens a minute grow with the speed."""
    fast, plain = preset_of("api-rpm", {"speed": 3.0}), preset_of("api-rpm", {})
    assert (fast.rpm, fast.tpm) == (3 * (plain.rpm or 0), 3 * (plain.tpm or 0))
    assert preset_of("fixed", {"speed": 3.0}).rpm is None


@pytest.mark.parametrize("speed", [0, -1, 1e9, "fast"])
def test_a_speed_that_is_none_is_refused(speed: object) -> None:
    """The message names the value."""
    with pytest.raises(ConfigError, match=f"is {speed!r}"):
        preset_of("fixed", {"speed": speed})
