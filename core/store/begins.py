"""The durable row that exists before a call is sent."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from core.base.records import Attempt
from core.store.codec import dump
from core.store.money import to_nano
from core.store.spending import DayBudget
from core.store.statements import Bulk
from core.store.writer import Work

_INSERT = Bulk(
    """INSERT INTO attempts (id, run_id, item_id, stage, parts, input_hash, number, resource, endpoint, model, calls,
    max_tokens, temperature, started_at, queue_s, reserved_nano, why) VALUES""",
    17,
)


class Begins(Work):
    """Attempts that are about to be sent; answers their ids, or why the day's budget does not allow them.

    `withdraw` is told of an attempt whose caller was cancelled before it learned the id: it was never sent.
    """

    def __init__(self, withdraw: Callable[[int, Attempt], None], day: DayBudget) -> None:
        self._withdraw = withdraw
        self._day = day

    def apply(self, db: sqlite3.Connection, payloads: Sequence[Attempt]) -> Sequence[int | str]:
        refusals = self._day.admit(db, payloads)
        ids = iter(self._insert(db, [a for a, refusal in zip(payloads, refusals, strict=True) if not refusal]))
        return [refusal or next(ids) for refusal in refusals]

    def _insert(self, db: sqlite3.Connection, payloads: Sequence[Attempt]) -> Sequence[int]:
        last = db.execute("SELECT coalesce(max(id), 0) FROM attempts").fetchone()[0]
        ids = range(last + 1, last + 1 + len(payloads))
        _INSERT.run(db, [_row(number, attempt) for number, attempt in zip(ids, payloads, strict=True)])
        return ids

    def unclaimed(self, payload: Attempt, answer: int | str) -> None:
        if isinstance(answer, int):
            self._withdraw(answer, payload)


def _row(attempt_id: int, attempt: Attempt) -> tuple[Any, ...]:
    return (
        attempt_id,
        attempt.run_id,
        attempt.item_id,
        attempt.stage,
        dump(attempt.parts),
        attempt.input_hash,
        attempt.number,
        attempt.resource,
        attempt.endpoint,
        attempt.model,
        attempt.calls,
        attempt.max_tokens,
        attempt.temperature,
        attempt.started_at,
        attempt.queue_s,
        to_nano(attempt.reserved_usd),
        attempt.why,
    )
