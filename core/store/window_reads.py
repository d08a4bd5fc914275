"""What a run did in stretches of time, merged from slices, and the changes of its limits."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from typing import NamedTuple

from core.base.tuning_views import Window
from core.store.connection import Readers
from core.store.money import total_usd
from core.store.slices import COLUMNS, SLICE, Slice, merge_all

_SLICES = f"""SELECT {", ".join(COLUMNS)} FROM rollups
    WHERE run_id = ? AND width = {SLICE} AND slice >= ? AND slice < ? AND resource = ?"""  # noqa: S608 - our own names
_ITEMS = "SELECT coalesce(sum(finished), 0) FROM progress WHERE run_id = ? AND slice >= ? AND slice < ?"
_CHANGES = """SELECT t, resource, endpoint, old, new, reason, phase, who FROM limit_changes
    WHERE run_id = ? ORDER BY t"""
_CONTROLS = """SELECT c.applied_at - coalesce(r.started_at, r.created_at) AS t,
    replace(c.action, '_limit', '') AS resource, '' AS endpoint, c.old, c.new, c.reason, '' AS phase, c.who
    FROM controls AS c JOIN runs AS r ON r.id = c.run_id
    WHERE c.run_id = ? AND c.action IN ('llm_limit', 'search_limit') AND c.outcome = 'applied' ORDER BY c.id"""
TOLD_TWICE_S = 2.0


class Change(NamedTuple):
    """A limit that became another one, `t` seconds after the run's start."""

    t: float
    resource: str
    endpoint: str
    old: int
    new: int
    reason: str
    phase: str
    who: str


def changes(readers: Readers, run_id: str) -> list[Change]:
    """Every change of a limit, by algorithms and by operators, in order of time; each once."""
    found = [Change(*row) for row in readers.all(_CHANGES, run_id)]
    for row in readers.all(_CONTROLS, run_id):
        if row["new"].isdigit() and row["old"].isdigit() and not _told(row, found):
            found.append(Change(*row)._replace(old=int(row["old"]), new=int(row["new"])))
    return sorted((change for change in found if change.old != change.new), key=lambda change: change.t)


def _told(row: sqlite3.Row, known: list[Change]) -> bool:
    """Whether a command's change is among those that were recorded when it was obeyed."""
    return any(
        c.resource == row["resource"] and c.new == int(row["new"]) and abs(c.t - row["t"]) <= TOLD_TWICE_S
        for c in known
    )


def window(readers: Readers, run_id: str, resource: str, begin: float, end: float) -> Window:
    """One resource's calls between two moments (multiples of five seconds)."""
    between = (round(begin / SLICE), round(end / SLICE))
    rows = readers.all(_SLICES, run_id, *between, resource)
    items = readers.value(_ITEMS, run_id, *between)
    return _window(begin, end, merge_all([Slice.from_row(row) for row in rows]), items)


def _window(begin: float, end: float, s: Slice, items: int) -> Window:
    span = end - begin
    cost = total_usd(s.cost_nano, s.priced, s.unpriced) if s.priced else None
    return Window(
        begin=begin,
        end=end,
        calls_per_s=s.calls / span,
        tokens_per_s=s.output_tokens / span,
        items_per_s=items / span,
        p50_s=s.service.quantile(0.5),
        p95_s=s.service.quantile(0.95),
        rate_limited=s.rate_limited,
        cost_per_item=cost / Decimal(items) if cost is not None and items else None,
    )
