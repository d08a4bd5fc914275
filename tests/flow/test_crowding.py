"""Crowding: how many calls a server takes at once, told from quotas and from strays."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.flow import Crowding
from core.flow.crowding import DISBELIEF_S

ANSWER_S = 1.0


class Server:
    """Calls in flight at a server that rejects: those beyond its places, or those it has no quota for."""

    def __init__(self, places: int = 10**9, *, per_second: float = 1e9, strays: float = 0.0, spoken: bool = True):
        self.places = places
        self.per_second = per_second
        self.strays = strays
        self.spoken = spoken
        self.crowding = Crowding()
        self.now = 0.0
        self.left = self.burst = 5 * per_second
        self.running: list[float] = []
        self.accepted = self.rejected = self.unexplained = 0
        self.rng = random.Random(4)

    def tick(self, limit: int, seconds: float = 0.02) -> None:
        """Let time pass, then send as many as the limit and the room allow; a rejected call is not sent again here."""
        self.now += seconds
        self.left = min(self.burst, self.left + self.per_second * seconds)
        done = [at for at in self.running if at + ANSWER_S <= self.now]
        for at in done:
            self.crowding.answered(at)
            self.running.remove(at)
        free = min(limit, self.crowding.room or limit) - len(self.running)
        for _ in range(free):
            self._send()

    def _send(self) -> None:
        full = len(self.running) >= self.places or self.left < 1
        if full or self.rng.random() < self.strays:
            self.rejected += 1
            explained = self.crowding.rejected(self.now, self.now, len(self.running), spoken=self.spoken and full)
            self.unexplained += not explained
        else:
            self.left -= 1
            self.accepted += 1
            self.running.append(self.now)
            self.crowding.sent(self.now, len(self.running))

    def run(self, seconds: float, limit: int = 32) -> None:
        for _ in range(round(seconds / 0.02)):
            self.tick(limit)


@pytest.mark.parametrize("spoken", [True, False])
@pytest.mark.parametrize("places", [1, 3, 12, 31])
def test_the_room_is_what_the_server_takes(places: int, spoken: bool) -> None:
    """After the first cascade the server is kept full, and next to nothing is rejected any more."""
    server = Server(places, spoken=spoken)
    server.run(2)
    assert server.crowding.room == places
    first = server.rejected
    server.run(120)
    assert places <= (server.crowding.room or 0) <= places + 1
    assert server.accepted >= 0.97 * places * 120
    assert server.rejected - first <= max(4, 0.01 * server.accepted)


def test_what_strays_reject_slows_nobody() -> None:
    """One stray rejection in thirty never limits anything, whatever it says."""
    server = Server(strays=1 / 30)
    server.run(300)
    assert server.crowding.room is None
    assert server.unexplained == server.rejected > 100


def test_a_quota_is_not_taken_for_a_crowd() -> None:
    """Rejections that go on within the room are no crowd: they are soon all handed on, and the room is lifted."""
    server = Server(per_second=10.0, spoken=False)
    server.run(8)
    assert server.crowding.room is None
    assert server.rejected - server.unexplained <= 20
    assert "a quota" in server.crowding.reason
    handed_on, rejected = server.unexplained, server.rejected
    server.run(DISBELIEF_S / 2)
    assert server.unexplained - handed_on == server.rejected - rejected > 0


def test_a_server_that_says_so_is_believed_again_and_again() -> None:
    """Spoken rejections within the room mean that the server has become smaller: the room follows."""
    server = Server(12)
    server.run(10)
    server.places = 4
    server.run(20)
    assert server.crowding.room in (3, 4, 5)
    assert server.unexplained == 0


def test_a_larger_server_is_found() -> None:
    """Once the server takes more again the room doubles its steps towards the limit."""
    server = Server(4)
    server.run(10)
    server.places = 64
    server.run(120)
    assert (server.crowding.room or 32) >= 32
    assert len(server.running) == 32


def test_an_unused_room_does_not_grow() -> None:
    """What is not in use was not tried: the room stays."""
    server = Server(12)
    server.run(2)
    room = server.crowding.room
    server.run(60, limit=6)
    assert server.crowding.room == room


def test_late_rejections_of_a_cascade_lower_the_room_to_what_was_taken() -> None:
    """Thirty-two are sent at once and twenty come back: the room is the twelve that stayed."""
    crowding = Crowding()
    in_flight = 32
    for _ in range(20):
        in_flight -= 1
        assert crowding.rejected(0.0, 0.01, in_flight, spoken=True)
    assert crowding.room == 12
    assert repr(crowding) == "<Crowding room 12, score 0.0>"


@given(st.lists(st.tuples(st.sampled_from(["answer", "reject", "spoken"]), st.integers(0, 40), st.floats(0, 2))))
def test_the_room_is_at_least_one_whatever_happens(events: list[tuple[str, int, float]]) -> None:
    """Any order of answers and rejections leaves room for a call."""
    crowding, now = Crowding(), 0.0
    for what, others, seconds in events:
        now += seconds
        if what == "answer":
            crowding.sent(now, others + 1)
            crowding.answered(now - seconds)
        else:
            crowding.rejected(now - seconds, now, others, spoken=what == "spoken")
        assert crowding.room is None or crowding.room >= 1
