"""The process dies; what was promised is on the disk, and a resumed run knows what is left."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from core.base.records import RunStatus
from core.store import Store
from tests.store.kitchen import OK, RUN, assert_reconciles, call, counters, done, finish_call, in_another_process, text

SETTING = """
import asyncio, os, sys
from core.store import Store
from tests.store.kitchen import *
store = Store.open(sys.argv[1])
"""

# Twelve calls for four items; `step` counts what is durable and dies at the k-th.
STEPS = (
    SETTING
    + """
left = int(sys.argv[2])

def step():
    global left
    left -= 1
    if left == 0:
        os._exit(9)

start_run(store, 4)
async def work():
    for item in range(4):
        for part in ("service", "price", "food"):
            attempt = call(f"r{item}", parts=(part,))
            attempt_id = await store.ledger.begin(attempt)
            step()
            ending = done(f"r{item}") if part == "food" else None
            await store.ledger.settle(attempt_id, attempt, OK, [text(f"r{item}", part)], ending)
            step()
asyncio.run(work())
os._exit(0)
"""
)


def test_a_begin_that_returned_survives_the_process(path: Path) -> None:
    """After os._exit, without close, another process sees every attempt whose begin had returned."""
    code = (
        SETTING
        + """
start_run(store)
async def begin():
    ids = await asyncio.gather(*(store.ledger.begin(call()) for _ in range(300)))
    print(len(ids), flush=True)
    os._exit(9)
asyncio.run(begin())
"""
    )
    died = in_another_process(code, path)
    assert (died.returncode, died.stdout.strip()) == (9, "300"), died.stderr
    with Store.open(path) as store:
        assert len(store.reports.attempts(RUN, limit=1000, state="started")) == 300


@pytest.mark.parametrize("boundary", [1, 2, 7, 12, 18, 23, 24])
def test_dying_at_any_durable_boundary_loses_and_repeats_nothing(path: Path, boundary: int) -> None:
    """At most the one call in flight is an orphan; what was settled is neither lost nor pending."""
    died = in_another_process(STEPS, path, boundary)
    assert died.returncode == 9, died.stderr
    begun, settled = (boundary + 1) // 2, boundary // 2
    with Store.open(path) as store:
        assert store.runs.orphan(RUN) == begun - settled
        assert store.runs.orphan(RUN) == 0
        assert len(store.reports.results(RUN)) == settled
        assert counters(store)["done"] == settled // 3
        assert [p for p, _ in store.runs.pending_page(RUN, -1, 10)] == list(range(settled // 3, 4))
        assert store.runs.view(RUN).cost_usd == Decimal("0.002") * settled + Decimal("0.01") * (begun - settled)
        assert_reconciles(store)


def test_a_resumed_run_ends_like_one_that_was_never_interrupted(path: Path) -> None:
    """Doing the calls that have no result yet gives all results once."""
    assert in_another_process(STEPS, path, 9).returncode == 9
    with Store.open(path) as store:
        store.runs.orphan(RUN)
        pending = [item.id for _, item in store.runs.pending_page(RUN, -1, 10)]
        known = store.runs.node_results(RUN, pending)
        for item in pending:
            have = {result.part for result in known.get(item, [])}
            for part in {"service", "price", "food"} - have:
                finish_call(store, call(item, parts=(part,)), OK, [text(item, part)])
            finish_call(store, call(item, stage="total_summary"), OK, [], done(item))
        assert len(store.reports.results(RUN)) == 12
        assert counters(store)["done"] == 4
        assert_reconciles(store)


def test_a_run_whose_process_died_shows_as_crashed_until_it_is_taken_over(path: Path) -> None:
    """The view says crashed and why; the row stays resumable, and the next owner gets the lease at once."""
    code = (
        SETTING
        + """
import socket
start_run(store)
store.runs.acquire_lease(RUN, f"{socket.gethostname()}:{os.getpid()}:first", ttl_s=3600)
os._exit(9)
"""
    )
    assert in_another_process(code, path).returncode == 9
    with Store.open(path) as store:
        view = store.runs.view(RUN)
        assert (view.status, view.owner_alive) == (RunStatus.CRASHED, False)
        assert "Resume it" in view.reason
        assert store.runs.acquire_lease(RUN, "elsewhere:1:second").token == 2
        assert store.runs.view(RUN).status is RunStatus.RUNNING


def test_rollups_that_died_in_memory_are_rebuilt_on_resume(path: Path) -> None:
    """Calls settled in the last second before the end are in the stages once the run is resumed."""
    assert in_another_process(STEPS, path, 24).returncode == 9
    with Store.open(path) as store:
        store.runs.orphan(RUN)
        (stage,) = store.reports.stages(RUN)
        assert (stage.attempts, stage.ok, stage.cost_usd) == (12, 12, Decimal("0.024"))
