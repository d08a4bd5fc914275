"""Leases: one owner at a time, fencing tokens, dead owners."""

from __future__ import annotations

import os
import socket

import pytest

from core.base.errors import RunError, UnknownError
from core.base.records import RunStatus
from core.store import Store
from tests.store.kitchen import RUN, start_run
from tests.support.clock import FakeClock

HERE = f"{socket.gethostname()}:{os.getpid()}:one"
DEAD = f"{socket.gethostname()}:{2**22 + 1}:two"
AWAY = "elsewhere:17:three"


def test_a_living_owner_keeps_its_run(store: Store) -> None:
    """Another one is told who has it; the view shows the owner alive."""
    start_run(store)
    store.runs.acquire_lease(RUN, HERE)
    with pytest.raises(RunError, match=HERE):
        store.runs.acquire_lease(RUN, AWAY)
    view = store.runs.view(RUN)
    assert (view.owner, view.owner_alive, view.status) == (HERE, True, RunStatus.RUNNING)


def test_an_owner_may_take_its_own_lease_again(store: Store) -> None:
    """The same owner string is no stranger, but gets a new token."""
    start_run(store)
    assert store.runs.acquire_lease(RUN, HERE).token == 1
    assert store.runs.acquire_lease(RUN, HERE).token == 2


def test_an_expired_lease_is_taken_over(store: Store, clock: FakeClock) -> None:
    """After its time without renewal the run shows as crashed, and the next owner has a higher token."""
    start_run(store)
    first = store.runs.acquire_lease(RUN, AWAY, ttl_s=15)
    clock.now += 14
    assert store.runs.view(RUN).owner_alive
    clock.now += 2
    assert store.runs.view(RUN).status is RunStatus.CRASHED
    second = store.runs.acquire_lease(RUN, HERE)
    assert second.token == first.token + 1
    assert not store.runs.renew_lease(first)
    assert store.runs.renew_lease(second)


def test_a_dead_process_of_this_host_need_not_expire(store: Store) -> None:
    """A lease of a process that no longer exists is taken over at once."""
    start_run(store)
    store.runs.acquire_lease(RUN, DEAD, ttl_s=3600)
    assert not store.runs.view(RUN).owner_alive
    assert store.runs.acquire_lease(RUN, HERE).token == 2


def test_renewal_prolongs(store: Store, clock: FakeClock) -> None:
    """A lease renewed every ten seconds outlives its fifteen."""
    start_run(store)
    lease = store.runs.acquire_lease(RUN, AWAY)
    for _ in range(5):
        clock.now += 10
        assert store.runs.renew_lease(lease)
    assert store.runs.view(RUN).owner_alive


def test_a_released_run_is_nobodys(store: Store) -> None:
    """It is not shown as crashed, and anybody may take it; releasing a lost lease changes nothing."""
    start_run(store)
    first = store.runs.acquire_lease(RUN, HERE)
    store.runs.release_lease(first)
    view = store.runs.view(RUN)
    assert (view.owner, view.owner_alive, view.status) == ("", False, RunStatus.RUNNING)
    second = store.runs.acquire_lease(RUN, AWAY)
    store.runs.release_lease(first)
    assert store.runs.renew_lease(second)


def test_a_fenced_owner_cannot_change_the_status(store: Store, clock: FakeClock) -> None:
    """With its old lease, a process that was taken over is refused; the new owner is not."""
    start_run(store)
    old = store.runs.acquire_lease(RUN, AWAY)
    clock.now += 60
    new = store.runs.acquire_lease(RUN, HERE)
    with pytest.raises(RunError, match="no longer elsewhere:17:three's"):
        store.runs.set_status(RUN, RunStatus.FINISHED, lease=old)
    store.runs.set_status(RUN, RunStatus.FINISHED, lease=new)
    assert store.runs.view(RUN).status is RunStatus.FINISHED


def test_the_watch_stops_when_the_owner_died(store: Store, clock: FakeClock) -> None:
    """A run whose owner died worked until its last renewal, however late it is taken over."""
    start_run(store)
    lease = store.runs.acquire_lease(RUN, AWAY)
    clock.now += 10
    store.runs.renew_lease(lease)
    clock.now += 5_000
    assert store.runs.view(RUN).wall_s == 10
    store.runs.acquire_lease(RUN, HERE)
    store.runs.set_status(RUN, RunStatus.RUNNING)
    clock.now += 5
    assert store.runs.view(RUN).wall_s == 15


def test_only_working_runs_crash(store: Store, clock: FakeClock) -> None:
    """A finished run with a stale lease is finished."""
    start_run(store)
    store.runs.acquire_lease(RUN, AWAY)
    store.runs.set_status(RUN, RunStatus.FINISHED)
    clock.now += 60
    assert store.runs.view(RUN).status is RunStatus.FINISHED


def test_a_run_that_does_not_exist_has_no_lease(store: Store) -> None:
    """Taking the lease of an unknown run is an error that lists runs."""
    start_run(store)
    with pytest.raises(UnknownError, match=RUN):
        store.runs.acquire_lease("x", HERE)
