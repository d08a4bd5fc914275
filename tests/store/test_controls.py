"""Commands to runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.base.errors import UnknownError
from core.store import Store
from tests.store.kitchen import RUN, start_run
from tests.support.clock import FakeClock


def test_a_command_waits_until_it_is_obeyed(store: Store, clock: FakeClock) -> None:
    """Who, what, old, new and why are kept; once applied it is pending no more."""
    start_run(store)
    number = store.controls.send(RUN, "llm_limit", "16", who="ann", reason="faster", old="8")
    (command,) = store.controls.pending(RUN, 0)
    assert (command.id, command.who, command.old, command.new) == (number, "ann", "8", "16")
    assert (command.at, command.reason, command.applied_at) == (1_000.0, "faster", None)
    clock.now += 0.2
    store.controls.applied(number, "applied")
    assert store.controls.pending(RUN, 0) == []
    (kept,) = store.controls.list(RUN)
    assert (kept.applied_at, kept.outcome) == (1_000.2, "applied")


def test_commands_come_in_order_after_the_last_one_seen(store: Store) -> None:
    """Pending is oldest first, the list newest first, and neither mixes runs."""
    start_run(store)
    start_run(store, run_id="other")
    ids = [store.controls.send(RUN, "llm_limit", str(n), who="ann") for n in range(4)]
    store.controls.send("other", "pause", "", who="ann")
    assert [c.id for c in store.controls.pending(RUN, ids[1])] == ids[2:]
    assert [c.id for c in store.controls.list(RUN, limit=2)] == [ids[3], ids[2]]


def test_a_command_of_another_process_arrives(store: Store, path: Path) -> None:
    """A second store of the same file is how a terminal steers the dashboard's run."""
    start_run(store)
    with Store.open(path) as terminal:
        terminal.controls.send(RUN, "cancel", "", who="ben")
    assert [c.action for c in store.controls.pending(RUN, 0)] == ["cancel"]


def test_a_command_needs_a_run(store: Store) -> None:
    """An unknown run is an error that says how to list runs."""
    with pytest.raises(UnknownError, match="python -m core runs"):
        store.controls.send("x", "pause", "", who="ann")
