"""Opening a database: new, old, newer, damaged, out of reach."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlite_utils import Database

from core.base.errors import StoreError, StoreVersionError
from core.store import Store
from core.store.migrations import STEPS
from tests.store.kitchen import ROOT, add_items


def test_makes_the_file_and_its_directory(tmp_path: Path) -> None:
    """A path that does not exist yet becomes a database."""
    with Store.open(tmp_path / "new" / "place" / "brigade.db") as store:
        assert store.path.exists()
        assert store.catalogue.count("restaurant") == 0


def test_what_was_written_is_there_after_reopening(path: Path) -> None:
    """Closing and opening loses nothing."""
    with Store.open(path) as store:
        add_items(store)
    with Store.open(str(path)) as store:
        assert store.catalogue.count("restaurant") == 3


@pytest.mark.parametrize("version", range(len(STEPS)))
def test_every_older_version_is_brought_up_to_date(path: Path, version: int) -> None:
    """A file that has had only some of the steps gets the others, and only those."""
    db = sqlite3.connect(path, isolation_level=None)
    for step in STEPS[:version]:
        step(Database(db))
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
    with Store.open(path) as store:
        assert store._readers.value("PRAGMA user_version") == len(STEPS)
        assert store.runs.list() == []


def test_a_newer_version_is_refused_with_the_way_out(path: Path) -> None:
    """The message names the file's version, ours, and what to do; the file is left alone."""
    Store.open(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreVersionError, match=rf"version 99, .* up to {len(STEPS)}\. Update Brigade"):
        Store.open(path)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    """Somebody's text file is neither touched nor taken for a database."""
    path.write_text("restaurant,review\n" * 200, encoding="utf-8")
    with pytest.raises(StoreError, match="not a Brigade database, or is damaged"):
        Store.open(path)
    assert path.read_text(encoding="utf-8").startswith("restaurant,review")


def test_a_damaged_database_is_refused_with_the_way_out(path: Path) -> None:
    """A file whose schema page is overwritten says how to recover what can be recovered."""
    with Store.open(path) as store:
        add_items(store, 50)
    data = bytearray(path.read_bytes())
    data[100:4096] = os.urandom(3996)
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"\.recover"):
        Store.open(path)


def test_damage_met_while_reading_is_one_of_our_errors(path: Path) -> None:
    """A page that turns out to be garbage later is a StoreError with the way out, not SQLite's."""
    with Store.open(path) as store:
        add_items(store, 2000)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = b"\xff" * (len(data) - len(data) // 2)
    path.write_bytes(data)
    store = Store.open(path)
    with pytest.raises(StoreError, match="could not be read"):
        store.catalogue.items(search="nothing", limit=10)
    store.close()


def test_a_directory_that_cannot_be_made_is_one_of_our_errors(tmp_path: Path) -> None:
    """A path below a file says that the directory cannot be made."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be made"):
        Store.open(tmp_path / "file" / "brigade.db")


def test_a_path_that_is_a_directory_is_one_of_our_errors(tmp_path: Path) -> None:
    """A directory cannot be opened, and the message says how to choose another path."""
    with pytest.raises(StoreError, match="--db PATH"):
        Store.open(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_file_is_refused_on_opening(path: Path) -> None:
    """Better at once than after the first paid call."""
    Store.open(path).close()
    path.chmod(0o444)
    with pytest.raises(StoreError, match="cannot be opened for writing"):
        Store.open(path)


def test_several_processes_may_open_a_new_file_at_once(path: Path) -> None:
    """Exactly one of them migrates; none fails."""
    code = "import sys; from core.store import Store; Store.open(sys.argv[1]).close()"
    processes = [subprocess.Popen([sys.executable, "-c", code, path], cwd=ROOT) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]


def test_a_closed_store_says_so(path: Path) -> None:
    """Reading and writing after close are errors that say what to do; closing twice is not."""
    store = Store.open(path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        add_items(store)
    with pytest.raises(StoreError, match="closed"):
        store.catalogue.count("restaurant")
