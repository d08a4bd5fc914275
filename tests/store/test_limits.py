"""What is kept of adaptive limits: changes with reasons, endpoints over time, and who tunes which server."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from core.base.views import LaneSample, LimitChangeView
from core.store import Store
from tests.store.kitchen import RUN, start_run
from tests.support.clock import FakeClock

HERE = f"{socket.gethostname()}:{os.getpid()}:a"
URL = "http://gpu:8000/v1"


def change(new: int, phase: str = "hold", endpoint: str = "gpu", resource: str = "llm") -> LimitChangeView:
    return LimitChangeView(RUN, 1.0, 1_001.0, resource, endpoint, 16, new, "because", phase, "auto")


def sample(t: float, endpoint: str = "gpu", state: str = "closed", limit: int = 8) -> LaneSample:
    return LaneSample(t, endpoint, limit, 6, 2, 0.5, state, 0.0, 1, 10)


def test_changes_are_read_in_the_order_in_which_they_came(store: Store) -> None:
    """Two changes at the same moment keep their order, and every column comes back as it was."""
    start_run(store)
    changes = [change(64, "ramp"), change(48), change(9, resource="search", endpoint="")]
    for one in changes:
        store.limit_changes.post(one)
    store.runs.set_limits(RUN, 1, 1)  # waits for the writer
    assert store.limit_changes.list(RUN) == changes
    assert store.limit_changes.list("another") == []


def test_the_last_good_limit_is_not_that_of_an_outage_nor_of_the_operator(store: Store) -> None:
    """What was in force for a moment is passed over; an endpoint that knew nothing else begins with it all the same."""
    start_run(store)
    told = [change(48), change(1, "down"), change(200, "fixed", ""), change(7, "down", "other"), change(5, "ramp", "b")]
    for one in [*told, change(6, "hold", "b")]:
        store.limit_changes.post(one)
    store.runs.set_limits(RUN, 1, 1)
    assert store.limit_changes.last_good(RUN) == {("llm", "gpu"): 48, ("llm", "other"): 7, ("llm", "b"): 6}


def test_endpoints_over_time_are_averaged_and_counted(store: Store) -> None:
    """Over a stretch: mean limits, summed calls, the worst state; the newest of each endpoint is one row each."""
    start_run(store)
    store.lanes.post(RUN, [sample(0.0), sample(1.0, state="open", limit=4), sample(2.0)])
    store.lanes.post(RUN, [sample(0.5, "b"), sample(1.5, "b", state="draining")])
    store.runs.set_limits(RUN, 1, 1)
    by_two = [s for s in store.lanes.samples(RUN, 2.0) if s.endpoint == "gpu"]
    assert [(s.t, s.limit, s.state, s.successes, s.rate_limited) for s in by_two] == [
        (0.5, 6, "open", 20, 2),
        (2.0, 8, "closed", 10, 1),
    ]
    assert [(s.endpoint, s.t, s.state) for s in store.lanes.latest(RUN)] == [
        ("b", 1.5, "draining"),
        ("gpu", 2.0, "closed"),
    ]
    assert store.lanes.latest("another") == ()
    assert store.lanes.samples("another") == ()


def test_a_long_run_is_thinned(store: Store) -> None:
    """Without a width at most 600 stretches per endpoint are read, and no call is lost."""
    start_run(store)
    store.lanes.post(RUN, [sample(float(t)) for t in range(5_000)])
    store.runs.set_limits(RUN, 1, 1)
    read = store.lanes.samples(RUN)
    assert 590 <= len(read) <= 600
    assert sum(s.successes for s in read) == 50_000


def test_one_run_tunes_a_server_at_a_time(store: Store, path: Path, clock: FakeClock) -> None:
    """The second is told who does, also through a store of its own; it gets the address once the first is through."""
    with Store.open(path, clock=clock) as other:
        assert store.tuners.claim(URL, "one", HERE) == ""
        assert other.tuners.claim(URL, "two", HERE) == "one"
        assert other.tuners.claim("http://elsewhere/v1", "two", HERE) == ""
        store.tuners.release("two", HERE)  # not what another run holds
        assert other.tuners.claim(URL, "two", HERE) == "one"
        store.tuners.release("one", HERE)
        assert other.tuners.claim(URL, "two", HERE) == ""


def test_the_lease_of_a_tuner_that_died_is_taken_over(store: Store, clock: FakeClock) -> None:
    """Renewed it lasts, unrenewed it ends after fifteen seconds, and with its process at once."""
    assert store.tuners.claim(URL, "one", "elsewhere:1:a") == ""
    clock.now += 10
    assert store.tuners.claim(URL, "one", "elsewhere:1:a") == ""
    clock.now += 10
    assert store.tuners.claim(URL, "two", HERE) == "one"
    clock.now += 6
    assert store.tuners.claim(URL, "two", HERE) == ""
    gone = f"{socket.gethostname()}:{2**22 + 5}:b"
    store.tuners.release("two", HERE)
    assert store.tuners.claim(URL, "three", gone) == ""
    assert store.tuners.claim(URL, "two", HERE) == ""
