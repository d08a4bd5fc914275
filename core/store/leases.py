"""Who may write to a run: one owner at a time, with a fencing token that grows with every new owner."""

from __future__ import annotations

import os
import socket
import sqlite3
from dataclasses import dataclass

from core.base.errors import RunError


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to a run until it expires, unless renewed. `owner` is `host:pid:uuid`."""

    run_id: str
    owner: str
    token: int
    ttl_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Held:
    """A lease as the table has it; `owner` is '' once it was released."""

    owner: str
    token: int
    expires_at: float
    renewed_at: float

    def alive(self, now: float) -> bool:
        """Whether its owner can still be at work: not expired, and a process of this host still exists."""
        return bool(self.owner) and now < self.expires_at and process_exists(self.owner)


def process_exists(owner: str) -> bool:
    """Whether the owner's process runs; one of another host, or an owner of another form, gets the benefit of doubt."""
    host, _, rest = owner.partition(":")
    pid = rest.partition(":")[0]
    if host != socket.gethostname() or not pid.isdigit():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def held(db: sqlite3.Connection, run_id: str) -> Held | None:
    """The lease of a run; None when it never had one."""
    row = db.execute("SELECT owner, token, expires_at, renewed_at FROM leases WHERE run_id = ?", (run_id,)).fetchone()
    return Held(*row) if row else None


def acquire(db: sqlite3.Connection, run_id: str, owner: str, ttl_s: float, now: float) -> Lease:
    """Take the lease, over from a dead owner if need be. RunError names a living one."""
    before = held(db, run_id)
    if before and before.owner != owner and before.alive(now):
        msg = (
            f"Run {run_id} is being worked on by {before.owner} until that ends or stops renewing its lease "
            f"({before.expires_at - now:.0f} s left). Watch and steer it from here, or cancel it first."
        )
        raise RunError(msg)
    if before and before.owner:
        bank_time(db, run_id, before.renewed_at)
    token = before.token + 1 if before else 1
    db.execute(
        "INSERT OR REPLACE INTO leases (run_id, owner, token, expires_at, renewed_at) VALUES (?, ?, ?, ?, ?)",
        (run_id, owner, token, now + ttl_s, now),
    )
    return Lease(run_id, owner, token, ttl_s)


def renew(db: sqlite3.Connection, lease: Lease, now: float) -> bool:
    """Prolong the lease; False when it is somebody else's by now."""
    changed = db.execute(
        "UPDATE leases SET expires_at = ?, renewed_at = ? WHERE run_id = ? AND token = ? AND owner = ?",
        (now + lease.ttl_s, now, lease.run_id, lease.token, lease.owner),
    )
    return changed.rowcount == 1


def release(db: sqlite3.Connection, lease: Lease, now: float) -> None:
    """Give the lease back, if it is still this one."""
    changed = db.execute(
        "UPDATE leases SET owner = '', expires_at = ?, renewed_at = ? WHERE run_id = ? AND token = ? AND owner = ?",
        (now, now, lease.run_id, lease.token, lease.owner),
    )
    if changed.rowcount:
        bank_time(db, lease.run_id, now)


def check(db: sqlite3.Connection, lease: Lease) -> None:
    """RunError unless the lease is still the run's."""
    now_held = held(db, lease.run_id)
    if now_held is None or (now_held.token, now_held.owner) != (lease.token, lease.owner):
        who = now_held.owner if now_held and now_held.owner else "nobody"
        msg = f"Run {lease.run_id} is no longer {lease.owner}'s: its lease is held by {who}. Attach to it read-only."
        raise RunError(msg)


def bank_time(db: sqlite3.Connection, run_id: str, until: float) -> None:
    """Add the time since the run was last resumed to its working time and stop its watch."""
    db.execute(
        "UPDATE runs SET active_s = active_s + max(0, ? - resumed_at), resumed_at = NULL "
        "WHERE id = ? AND resumed_at IS NOT NULL",
        (until, run_id),
    )
