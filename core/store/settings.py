"""Settings that operators change while things run, with everything they ever were."""

from __future__ import annotations

import sqlite3

from core.base.clock import Clock
from core.store.connection import Readers
from core.store.writer import Writer


class SettingsTable:
    """Texts by key."""

    def __init__(self, readers: Readers, writer: Writer, clock: Clock) -> None:
        self._readers = readers
        self._writer = writer
        self._clock = clock

    def __repr__(self) -> str:
        return f"<SettingsTable, {len(self.all(''))} keys>"

    def get(self, key: str) -> str | None:
        """A setting; None when it was never set."""
        value: str | None = self._readers.value("SELECT value FROM settings WHERE key = ?", key)
        return value

    def set(self, key: str, value: str, who: str) -> None:
        """Change a setting and remember who did."""
        change = {"key": key, "value": value, "who": who, "at": self._clock.wall()}

        def job(db: sqlite3.Connection) -> None:
            from sqlite_utils import Database

            tables = Database(db, recursive_triggers=False)
            tables.table("settings").upsert({"key": key, "value": value}, pk="key")
            tables.table("settings_history").insert(change)

        self._writer.run(job)

    def clear(self, key: str, who: str) -> None:
        """Take a setting back, as if it had never been set; its history says so with ''."""
        change = (key, "", who, self._clock.wall())

        def job(db: sqlite3.Connection) -> None:
            if db.execute("DELETE FROM settings WHERE key = ?", (key,)).rowcount:
                db.execute("INSERT INTO settings_history (key, value, who, at) VALUES (?, ?, ?, ?)", change)

        self._writer.run(job)

    def all(self, prefix: str) -> dict[str, str]:
        """The settings whose keys begin so."""
        sql = "SELECT key, value FROM settings WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key"
        return dict(tuple(row) for row in self._readers.all(sql, prefix))

    def history(self, key: str) -> list[tuple[float, str, str]]:
        """Everything a setting was: when, value, who; oldest first."""
        sql = "SELECT at, value, who FROM settings_history WHERE key = ? ORDER BY id"
        return [tuple(row) for row in self._readers.all(sql, key)]
