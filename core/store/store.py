"""The database of one path."""

from __future__ import annotations

import sqlite3
import threading
from decimal import Decimal
from pathlib import Path
from types import TracebackType

from core.base.clock import SYSTEM_CLOCK, Clock
from core.base.errors import StoreError
from core.store.cache import Cache
from core.store.catalogue import Catalogue
from core.store.connection import Readers, begin, connect_writer
from core.store.controls import Controls
from core.store.item_rows import define_haystack
from core.store.lanes import Lanes
from core.store.ledger import Ledger
from core.store.limit_changes import LimitChanges
from core.store.migrations import migrate
from core.store.money import to_usd
from core.store.reports import Reports
from core.store.rollups import Rollups
from core.store.runs import Runs
from core.store.settings import SettingsTable
from core.store.spending import DayBudget, day_of
from core.store.spill import Spill
from core.store.statuses import Statuses
from core.store.sweeps import Sweeps
from core.store.tuners import Tuners
from core.store.writer import Writer


class Store:
    """The database of one path: migrated on opening, written by one thread, read by connections of their own.

    `failed` is set once the disk takes nothing more; what calls came to since then is in the spill beside it.
    """

    def __init__(
        self, path: Path, db: sqlite3.Connection, spill: Spill, clock: Clock, refused: sqlite3.Error | None = None
    ) -> None:
        self.path = path
        self._clock = clock
        rollups = Rollups()
        self._readers = readers = Readers(path)
        self._writer = writer = Writer(db, path, rollups.due, refused)
        self.failed: threading.Event = writer.failed
        self.catalogue = Catalogue(readers, writer)
        self.runs = Runs(readers, writer, rollups, Statuses(spill.keep_standings), clock)
        self.day = DayBudget()
        self.ledger = Ledger(writer, rollups, spill, clock, self.day)
        self.cache = Cache(readers, writer, clock)
        self.controls = Controls(readers, writer, clock)
        self.limit_changes = LimitChanges(readers, writer)
        self.lanes = Lanes(readers, writer)
        self.tuners = Tuners(writer, clock)
        self.reports = Reports(readers, clock)
        self.settings = SettingsTable(readers, writer, clock)
        self.sweeps = Sweeps(readers, writer, clock)

    def __repr__(self) -> str:
        return f"<Store {self.path}, {self._writer!r}>"

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @classmethod
    def open(cls, path: Path | str, *, clock: Clock = SYSTEM_CLOCK) -> Store:
        """Open or create a database and bring it up to date.

        StoreVersionError when a newer Brigade wrote it; StoreError when it is no database, is damaged or cannot be
        written.
        """
        path = Path(path)
        db = _connect(path)
        spill = Spill(path)
        try:
            refused = prepare(db, path, spill)
        except BaseException:
            db.close()
            raise
        return cls(path, db, spill, clock, refused)

    def spent_today(self) -> Decimal:
        """What all runs have spent, or have in flight, of this day by the machine's clock."""
        sql = "SELECT coalesce(sum(nano), 0) FROM spending WHERE day = ?"
        return to_usd(self._readers.value(sql, day_of(self._clock.wall()))) or Decimal(0)

    def day_budget(self) -> Decimal | None:
        """The most that all runs may cost in a day, as it is in force now; None: any."""
        with self._readers.borrow() as db:
            return self.day.now(db)

    def condition(self) -> tuple[int, str]:
        """The schema's version, and `ok` or what SQLite found damaged; reads the whole file."""
        return self._readers.value("PRAGMA user_version"), self._readers.value("PRAGMA quick_check(1)")

    def close(self) -> None:
        """Commit what is queued and end the writer; later writes and reads are errors."""
        self._readers.close()
        self._writer.close()


def _connect(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return connect_writer(path)
    except OSError as exc:
        msg = f"{path.parent} cannot be made: {exc.strerror}. Choose another place with --db PATH."
        raise StoreError(msg) from exc
    except sqlite3.Error as exc:
        raise _unusable(path, exc) from exc


def prepare(db: sqlite3.Connection, path: Path, spill: Spill) -> sqlite3.Error | None:
    """Migrate, and take in what a full disk had kept out once the file is found to be whole.

    What the disk says where it is as full as before: such a database can be read all the same.
    """
    try:
        migrate(db, path)
        _must_be_writable(db)
        define_haystack(db)
        if spill.waiting():
            _check(db)
            if refused := _take_in(db, spill):
                return refused
        spill.reserve()
    except sqlite3.Error as exc:
        raise _unusable(path, exc) from exc
    return None


def _take_in(db: sqlite3.Connection, spill: Spill) -> sqlite3.Error | None:
    try:
        while spill.waiting():
            spill.take_in(db)
    except sqlite3.Error as exc:
        if exc.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
            raise
        return exc
    return None


def _must_be_writable(db: sqlite3.Connection) -> None:
    begin(db)
    db.execute("ROLLBACK")


def _check(db: sqlite3.Connection) -> None:
    verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise damage(verdict)


def damage(verdict: str) -> sqlite3.DatabaseError:
    """SQLite's integrity check reports damage as a row; this is the same as its exception."""
    error = sqlite3.DatabaseError(verdict)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _unusable(path: Path, error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code not in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
        return StoreError(
            f"{path} cannot be opened for writing: {error}. Check its directory, or use another --db PATH."
        )
    return StoreError(
        f"{path} is not a Brigade database, or is damaged: {error}. Move it away, save what can be saved with "
        f"`sqlite3 {path} .recover`, or use another --db PATH."
    )
