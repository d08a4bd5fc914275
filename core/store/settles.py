"""How an attempt ended, what came of it, what it cost and what its item came to: one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from core.base.errors import StoreError
from core.base.records import Attempt, NodeResult, Settlement
from core.store.codec import RESULT_COLUMNS, result_row
from core.store.money import to_nano
from core.store.progress import ItemDone, Move, charge, move
from core.store.rollups import Rollups
from core.store.slices import Settled
from core.store.spending import Charge, add, day_of
from core.store.statements import Bulk
from core.store.writer import Work

CLOSED_COLUMNS = (
    "id", "endpoint", "model", "started_at", "queue_s", "state", "outcome", "service_s", "ttft_s", "input_tokens",
    "output_tokens", "cached_tokens", "estimated", "cost_nano", "status", "error",
)  # fmt: skip
_SET = ", ".join(f"{name} = v.column{n}" for n, name in enumerate(CLOSED_COLUMNS, 1) if n > 1)
CLOSE = Bulk(
    f"UPDATE attempts SET {_SET} FROM (VALUES",  # noqa: S608 - our own column names
    len(CLOSED_COLUMNS),
    ") AS v WHERE attempts.id = v.column1 AND attempts.state = 'started'",
)
ACCEPT = Bulk(
    f"INSERT INTO results ({', '.join(RESULT_COLUMNS)}) VALUES",
    len(RESULT_COLUMNS),
    "ON CONFLICT (run_id, item_id, stage, part) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in RESULT_COLUMNS[4:])
    + " WHERE results.status = 'failed' OR (results.status = 'done' AND excluded.status = 'done'"
    + " AND instr(results.flags, '\"truncated\"') > 0)",
)


class Ending(NamedTuple):
    """What `settle` and `save` are given, and when (wall seconds); `save` has no attempt."""

    attempt_id: int
    attempt: Attempt | None
    settlement: Settlement | None
    results: Sequence[NodeResult]
    item: ItemDone | None
    at: float

    @property
    def move(self) -> Move:
        """The item's move and when it happened."""
        return None if self.item is None else (self.item, self.at)


class Settles(Work):
    """Endings of attempts. `keep` is told of those that the disk refused."""

    def __init__(self, rollups: Rollups, keep: Callable[[Sequence[Ending]], None]) -> None:
        self._rollups = rollups
        self._keep = keep

    def apply(self, db: sqlite3.Connection, payloads: Sequence[Ending]) -> list[bool]:
        """Whether each ending moved its item."""
        closed = [closed_row(e.attempt_id, e.attempt, e.settlement) for e in payloads if e.attempt and e.settlement]
        if CLOSE.run(db, closed) != len(closed):
            numbers = ", ".join(str(row[0]) for row in closed)
            msg = f"Attempt {numbers} is not open: it was settled before, or another process took the run over."
            raise StoreError(msg)
        ACCEPT.run(db, [result_row(result) for e in payloads for result in e.results])
        charge(db, [settled for e in payloads if (settled := settled_row(e))])
        add(db, [_spent(e.attempt, e.settlement) for e in payloads if e.attempt and e.settlement])
        return move(db, [e.move for e in payloads])

    def committed(self, payloads: Sequence[Ending], answers: Sequence[bool]) -> None:
        moved = [(e.item.run_id, e.at) for e, m in zip(payloads, answers, strict=True) if m and e.item]
        self._rollups.note([settled for e in payloads if (settled := settled_row(e))], moved)

    def refused(self, payloads: Sequence[Ending]) -> None:
        self._keep(payloads)


def _spent(attempt: Attempt, settlement: Settlement) -> Charge:
    """What a settlement changes of its day's spending: the cost takes the reservation's place."""
    change = (to_nano(settlement.cost_usd) or 0) - (to_nano(attempt.reserved_usd) or 0)
    return day_of(attempt.started_at), attempt.run_id, change


def closed_row(attempt_id: int, attempt: Attempt, settlement: Settlement) -> tuple[Any, ...]:
    """The values of `CLOSED_COLUMNS`."""
    usage = settlement.usage
    return (
        attempt_id,
        attempt.endpoint,
        attempt.model,
        attempt.started_at,
        attempt.queue_s,
        settlement.state,
        settlement.outcome.value,
        settlement.service_s,
        settlement.ttft_s,
        usage and usage.input_tokens,
        usage and usage.output_tokens,
        usage and usage.cached_tokens,
        usage and usage.estimated,
        to_nano(settlement.cost_usd),
        settlement.status,
        settlement.error,
    )


def settled_row(ending: Ending) -> Settled | None:
    """What the roll-ups need of an ending; None for one without an attempt."""
    attempt, settlement = ending.attempt, ending.settlement
    if attempt is None or settlement is None:
        return None
    usage = settlement.usage
    return Settled(
        attempt.run_id,
        attempt.stage,
        attempt.resource,
        attempt.model,
        attempt.started_at + settlement.service_s,
        settlement.state,
        attempt.number,
        attempt.calls,
        attempt.queue_s,
        settlement.service_s,
        settlement.ttft_s,
        usage.input_tokens if usage else None,
        usage.output_tokens if usage else None,
        to_nano(settlement.cost_usd),
    )
