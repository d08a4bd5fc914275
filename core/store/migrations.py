"""The schema, as steps that are applied in order and never edited after release.

`PRAGMA user_version` counts the steps a file has had.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.base.errors import StoreVersionError
from core.store.connection import begin

if TYPE_CHECKING:  # it imports pandas where that is installed: half a second that only a migration should cost
    from sqlite_utils import Database

Step = Callable[["Database"], None]
STEPS: list[Step] = []


def migration(step: Step) -> Step:
    """Registers a step; the order in this file is the order of application."""
    STEPS.append(step)
    return step


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a file up to date in one transaction; StoreVersionError when a newer Brigade wrote it."""
    if _version(connection, path) == len(STEPS):
        return
    from sqlite_utils import Database

    db = Database(connection, recursive_triggers=False)
    begin(connection)
    with db.atomic():
        for step in STEPS[_version(connection, path) :]:
            step(db)
        db.execute(f"PRAGMA user_version = {len(STEPS)}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(STEPS):
        msg = (
            f"{path} has schema version {version}, but this Brigade knows versions up to {len(STEPS)}. "
            "Update Brigade, or choose another database with --db PATH."
        )
        raise StoreVersionError(msg)
    return version


@migration
def catalogue(db: Database) -> None:
    """Items and their reviews. `haystack` is what a search looks through, `indexed_by` the embedder of the index."""
    db.execute("""CREATE TABLE items (
        n INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
        fields TEXT NOT NULL DEFAULT '{}', reviews INTEGER NOT NULL DEFAULT 0, haystack TEXT NOT NULL DEFAULT '',
        UNIQUE (kind, id))""")
    db.execute("CREATE INDEX items_by_name ON items (kind, name COLLATE NOCASE)")
    db.execute("""CREATE TABLE reviews (
        n INTEGER PRIMARY KEY, restaurant_id TEXT NOT NULL, review_id TEXT NOT NULL,
        text_hash TEXT NOT NULL, indexed_by TEXT NOT NULL DEFAULT '', rating REAL, date TEXT, author TEXT, lang TEXT,
        extra TEXT, file_tag TEXT NOT NULL DEFAULT '', text TEXT NOT NULL,
        UNIQUE (restaurant_id, review_id))""")
    db.execute("CREATE INDEX reviews_by_text ON reviews (restaurant_id, text_hash)")
    db.execute("CREATE INDEX reviews_by_index ON reviews (indexed_by)")


@migration
def runs(db: Database) -> None:
    """Runs with their counters and money, their items in order, and who may write to them."""
    db.execute("""CREATE TABLE runs (
        n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, workload TEXT NOT NULL, item_kind TEXT NOT NULL,
        status TEXT NOT NULL DEFAULT 'pending', reason TEXT NOT NULL DEFAULT '', who TEXT NOT NULL DEFAULT '',
        created_at REAL NOT NULL, started_at REAL, ended_at REAL, resumed_at REAL, active_s REAL NOT NULL DEFAULT 0,
        settings TEXT NOT NULL DEFAULT '{}', measures TEXT NOT NULL DEFAULT '{}', budget_nano INTEGER,
        selected INTEGER NOT NULL, pending INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0,
        failed INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0, no_reviews INTEGER NOT NULL DEFAULT 0,
        cost_nano INTEGER NOT NULL DEFAULT 0, priced INTEGER NOT NULL DEFAULT 0, unpriced INTEGER NOT NULL DEFAULT 0,
        search_limit INTEGER NOT NULL DEFAULT 0, llm_limit INTEGER NOT NULL DEFAULT 0)""")
    db.execute("""CREATE TABLE run_items (
        run_id TEXT NOT NULL REFERENCES runs (id), position INTEGER NOT NULL, item_id TEXT NOT NULL,
        status TEXT NOT NULL DEFAULT 'pending', finished_s REAL, finished_at REAL, error TEXT,
        cost_nano INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (run_id, position), UNIQUE (run_id, item_id)) WITHOUT ROWID""")
    db.execute("CREATE INDEX run_items_by_cost ON run_items (run_id, cost_nano) WHERE cost_nano > 0")
    db.execute("""CREATE TABLE leases (
        run_id TEXT PRIMARY KEY REFERENCES runs (id), owner TEXT NOT NULL, token INTEGER NOT NULL,
        expires_at REAL NOT NULL, renewed_at REAL NOT NULL) WITHOUT ROWID""")


@migration
def ledger(db: Database) -> None:
    """Attempts and accepted results. `used` names the evidence of a text, `evidence` is what a search found."""
    db.execute("""CREATE TABLE attempts (
        id INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs (id), item_id TEXT NOT NULL,
        stage TEXT NOT NULL, parts TEXT NOT NULL,
        input_hash TEXT NOT NULL, number INTEGER NOT NULL, resource TEXT NOT NULL, endpoint TEXT NOT NULL,
        model TEXT NOT NULL, calls INTEGER NOT NULL, max_tokens INTEGER, temperature REAL, started_at REAL NOT NULL,
        queue_s REAL NOT NULL, reserved_nano INTEGER, state TEXT NOT NULL DEFAULT 'started', outcome TEXT,
        service_s REAL, ttft_s REAL, input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER,
        estimated INTEGER, cost_nano INTEGER, status INTEGER, error TEXT)""")
    db.execute("CREATE INDEX attempts_by_item ON attempts (run_id, item_id)")
    db.execute("CREATE INDEX attempts_by_state ON attempts (run_id, state)")
    db.execute("""CREATE TABLE results (
        n INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs (id), item_id TEXT NOT NULL,
        stage TEXT NOT NULL, part TEXT NOT NULL,
        status TEXT NOT NULL, text TEXT NOT NULL, model TEXT, cost_nano INTEGER, input_hash TEXT NOT NULL, error TEXT,
        flags TEXT, citations TEXT, used TEXT, evidence TEXT, UNIQUE (run_id, item_id, stage, part))""")


@migration
def rollups(db: Database) -> None:
    """Sums per run, stage, model and slice (`width` seconds, 0: the whole run), items finished per slice, gates."""
    db.execute("""CREATE TABLE rollups (
        run_id TEXT NOT NULL, width INTEGER NOT NULL, slice INTEGER NOT NULL, stage TEXT NOT NULL,
        resource TEXT NOT NULL, model TEXT NOT NULL,
        attempts INTEGER NOT NULL, calls INTEGER NOT NULL, ok INTEGER NOT NULL, failed INTEGER NOT NULL,
        rate_limited INTEGER NOT NULL, retries INTEGER NOT NULL, service_s REAL NOT NULL,
        input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_nano INTEGER NOT NULL,
        priced INTEGER NOT NULL, unpriced INTEGER NOT NULL, service BLOB, queue BLOB, ttft BLOB,
        PRIMARY KEY (run_id, width, slice, stage, resource, model))""")
    db.execute("""CREATE TABLE progress (
        run_id TEXT NOT NULL, slice INTEGER NOT NULL, finished INTEGER NOT NULL,
        PRIMARY KEY (run_id, slice)) WITHOUT ROWID""")
    db.execute("""CREATE TABLE samples (
        run_id TEXT NOT NULL, resource TEXT NOT NULL, t REAL NOT NULL, "limit" INTEGER NOT NULL,
        in_flight INTEGER NOT NULL, waiting INTEGER NOT NULL, in_flight_avg REAL NOT NULL, full_share REAL NOT NULL,
        peak INTEGER NOT NULL, PRIMARY KEY (run_id, resource, t)) WITHOUT ROWID""")
    db.execute("""CREATE TABLE gates (
        run_id TEXT NOT NULL, resource TEXT NOT NULL, last_t REAL NOT NULL, seconds REAL NOT NULL,
        full_s REAL NOT NULL, peak INTEGER NOT NULL, PRIMARY KEY (run_id, resource)) WITHOUT ROWID""")


@migration
def commands(db: Database) -> None:
    """What an operator told a run, and settings with everything they ever were."""
    db.execute("""CREATE TABLE controls (
        id INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs (id), at REAL NOT NULL, who TEXT NOT NULL,
        action TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL, reason TEXT NOT NULL, applied_at REAL,
        outcome TEXT NOT NULL DEFAULT '')""")
    db.execute("CREATE INDEX controls_pending ON controls (run_id, id) WHERE applied_at IS NULL")
    db.execute("CREATE INDEX controls_by_run ON controls (run_id, id)")
    db.table("settings").create({"key": str, "value": str}, pk="key", not_null={"value"})
    db.table("settings_history").create({"id": int, "key": str, "value": str, "who": str, "at": float}, pk="id")


@migration
def sweeps(db: Database) -> None:
    """Sweeps, each a run, and what they measured at each limit; latencies in seconds, `error` relative."""
    db.execute("""CREATE TABLE sweeps (
        run_id TEXT PRIMARY KEY REFERENCES runs (id), resource TEXT NOT NULL, endpoint TEXT NOT NULL,
        url TEXT NOT NULL, server TEXT NOT NULL, model TEXT NOT NULL, limits TEXT NOT NULL, slo_p95_s REAL,
        outcome TEXT NOT NULL DEFAULT '', why TEXT NOT NULL DEFAULT '') WITHOUT ROWID""")
    db.execute("""CREATE TABLE sweep_points (
        n INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES sweeps (run_id), "limit" INTEGER NOT NULL,
        calls_per_s REAL NOT NULL, tokens_per_s REAL NOT NULL, latency_s REAL NOT NULL, p95_s REAL NOT NULL,
        error REAL NOT NULL, in_flight REAL NOT NULL, samples INTEGER NOT NULL, at REAL NOT NULL,
        tokens REAL NOT NULL, slope REAL NOT NULL, p50_s REAL, calls INTEGER NOT NULL, failed INTEGER NOT NULL,
        rate_limited INTEGER NOT NULL, cost_item_nano INTEGER)""")
    db.execute("CREATE INDEX sweep_points_by_run ON sweep_points (run_id)")


@migration
def adaptive_limits(db: Database) -> None:
    """Every change of a limit, what each endpoint did second by second, and which run tunes which server."""
    db.execute("""CREATE TABLE limit_changes (
        run_id TEXT NOT NULL REFERENCES runs (id), t REAL NOT NULL, at REAL NOT NULL, resource TEXT NOT NULL,
        endpoint TEXT NOT NULL, old INTEGER NOT NULL, new INTEGER NOT NULL, reason TEXT NOT NULL, phase TEXT NOT NULL,
        who TEXT NOT NULL)""")
    db.execute("CREATE INDEX limit_changes_by_run ON limit_changes (run_id, t)")
    db.execute("""CREATE TABLE lane_samples (
        run_id TEXT NOT NULL, endpoint TEXT NOT NULL, t REAL NOT NULL, "limit" INTEGER NOT NULL,
        in_flight INTEGER NOT NULL, waiting INTEGER NOT NULL, latency_s REAL NOT NULL, state TEXT NOT NULL,
        pacing_s REAL NOT NULL, rate_limited INTEGER NOT NULL, successes INTEGER NOT NULL,
        PRIMARY KEY (run_id, endpoint, t)) WITHOUT ROWID""")
    db.execute("""CREATE TABLE tuners (
        address TEXT PRIMARY KEY, run_id TEXT NOT NULL, owner TEXT NOT NULL, expires_at REAL NOT NULL) WITHOUT ROWID""")


@migration
def reasons(db: Database) -> None:
    """Why an attempt went to its model: the layer that chose it, or the failure that made it a fallback."""
    db.execute("ALTER TABLE attempts ADD COLUMN why TEXT NOT NULL DEFAULT ''")


@migration
def constraints(db: Database) -> None:
    """What a run waited for: seconds per resource and slice of five seconds; resource '' counts those watched."""
    db.execute("""CREATE TABLE constraints (
        run_id TEXT NOT NULL, slice INTEGER NOT NULL, resource TEXT NOT NULL, name TEXT NOT NULL, seconds REAL NOT NULL,
        PRIMARY KEY (run_id, slice, resource, name)) WITHOUT ROWID""")


@migration
def saved_calls(db: Database) -> None:
    """How many results were taken from the cache or from an earlier run is counted without a walk over all."""
    for flag in ("cached", "reused"):
        db.execute(f"CREATE INDEX results_{flag} ON results (run_id) WHERE instr(flags, '\"{flag}\"') > 0")


@migration
def answers(db: Database) -> None:
    """Answers that runs with a cache may use again, by the hash of what was asked."""
    db.execute("""CREATE TABLE answers (
        key TEXT PRIMARY KEY, at REAL NOT NULL, model TEXT, text TEXT NOT NULL,
        input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL) WITHOUT ROWID""")
    db.execute("CREATE INDEX answers_by_age ON answers (at)")


@migration
def spending(db: Database) -> None:
    """What each run has spent or reserved on each day of the machine's calendar, in nano-dollars."""
    db.execute("""CREATE TABLE spending (
        day TEXT NOT NULL, run_id TEXT NOT NULL, nano INTEGER NOT NULL, PRIMARY KEY (day, run_id)) WITHOUT ROWID""")
    db.execute("""INSERT INTO spending SELECT date(started_at, 'unixepoch', 'localtime') AS day, run_id,
            sum(CASE WHEN state = 'started' THEN coalesce(reserved_nano, 0) ELSE coalesce(cost_nano, 0) END) AS nano
        FROM attempts GROUP BY day, run_id HAVING nano > 0""")


@migration
def flagged(db: Database) -> None:
    """Items whose results somebody should read are found without a walk over all."""
    for flag in ("fallback", "truncated"):
        db.execute(f"CREATE INDEX results_{flag} ON results (run_id) WHERE instr(flags, '\"{flag}\"') > 0")
