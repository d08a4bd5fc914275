"""What all runs of a database spend in a day of the machine's calendar, and the most they may.

Each attempt counts for the day on which it began: at its reservation while it is open, at its cost once it is settled.
It is checked in the transaction that puts the attempt on record, so that no number of processes passes it together.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from core.base.records import Attempt
from core.store.money import to_nano, to_usd

KEY = "budget.day"
MINUTE = 60
Charge = tuple[str, str, int]
_ADD = """INSERT INTO spending (day, run_id, nano) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET nano = nano + excluded.nano"""
_RECOUNT = """INSERT INTO spending (day, run_id, nano)
    SELECT date(started_at, 'unixepoch', 'localtime') AS day, run_id,
        sum(CASE WHEN state = 'started' THEN coalesce(reserved_nano, 0) ELSE coalesce(cost_nano, 0) END) AS nano
    FROM attempts WHERE run_id = ? GROUP BY day HAVING nano > 0"""


def day_of(at: float) -> str:
    """The day of a moment (wall seconds) by the machine's clock and time zone."""
    return _day_of_minute(int(at // MINUTE))


@lru_cache(maxsize=16)
def _day_of_minute(number: int) -> str:
    """Days begin with a minute, in every time zone; asked twice of each attempt."""
    return time.strftime("%Y-%m-%d", time.localtime(number * MINUTE))


def add(db: sqlite3.Connection, charges: Iterable[Charge]) -> None:
    """Count (day, run, nano-dollars); a settlement below its reservation is negative."""
    sums: Counter[tuple[str, str]] = Counter()
    for day, run_id, nano in charges:
        sums[day, run_id] += nano
    for (day, run_id), nano in sums.items():
        if nano:
            db.execute(_ADD, (day, run_id, nano))


def spent(db: sqlite3.Connection, day: str) -> int:
    """Nano-dollars that are settled or reserved of a day."""
    return int(db.execute("SELECT coalesce(sum(nano), 0) FROM spending WHERE day = ?", (day,)).fetchone()[0])


def recount(db: sqlite3.Connection, run_id: str) -> None:
    """Make a run's days anew from its attempts."""
    db.execute("DELETE FROM spending WHERE run_id = ?", (run_id,))
    db.execute(_RECOUNT, (run_id,))


class DayBudget:
    """The most a day may cost. `limit` is what the settings of this process say (None: nothing); the database's
    `budget.day` is stronger, unless the limit was given `by_hand`, on the command line."""

    def __init__(self) -> None:
        self.limit: Decimal | None = None
        self.by_hand = False

    def __repr__(self) -> str:
        return f"<DayBudget {self.limit}>"

    def now(self, db: sqlite3.Connection) -> Decimal | None:
        """The limit in force."""
        if self.by_hand:
            return self.limit
        row = db.execute("SELECT value FROM settings WHERE key = ?", (KEY,)).fetchone()
        stored = None if row is None else _amount(row[0])
        return self.limit if stored is None else stored

    def admit(self, db: sqlite3.Connection, attempts: Sequence[Attempt]) -> list[str]:
        """For each attempt '' where it may be sent, and is counted from now on; else why not."""
        limit = to_nano(self.now(db))
        counted: Counter[str] = Counter()
        answers, charges = [], []
        for attempt in attempts:
            nano, day = to_nano(attempt.reserved_usd) or 0, day_of(attempt.started_at)
            if limit is not None and day not in counted:
                counted[day] = spent(db, day)
            refused = limit is not None and nano > 0 and counted[day] + nano > limit
            answers.append(reason(limit or 0, counted[day], day) if refused else "")
            if not refused:
                counted[day] += nano
                charges.append((day, attempt.run_id, nano))
        add(db, charges)
        return answers


def reason(limit: int, counted: int, day: str) -> str:
    """Why a call is not sent, when that changes by itself, and how to change it."""
    return (
        f"The day's budget of {(to_usd(limit) or Decimal(0)).normalize():f} USD is reached: "
        f"{to_usd(counted):.6f} of {day} is spent or in flight. "
        "It begins anew at midnight by this machine's clock. To go on today, raise it (--budget-day USD, "
        f"BRIGADE_BUDGET_DAY, or the setting {KEY}) and resume the run."
    )


def _amount(text: str) -> Decimal | None:
    """A stored amount; one that is none does not count."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount >= 0 else None
